"""gcp-storage-emulator with two things of the real store that it lacks, and names in its log.

    python tests/pipelines/storage/gcs_server.py PORT

An object that must not be there yet (`ifGenerationMatch=0`) is refused with 412 where it is, and an
upload in parts can be cancelled, for which gcsfs would ask six times in half a minute. An object
that is written in one request is named in its body alone, so the log has one more line with it.
"""

import logging
import sys
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects


def main() -> None:
    """Serve at a port of this machine until the process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # the requests
    uploads = rf"^{server.settings.UPLOAD_API_ENDPOINT}/b/(?P<bucket_name>[-.\w]+)/o$"
    handlers = {"POST": _insert, "PUT": objects.upload_partial, "DELETE": _cancel}
    server.HANDLERS = ((uploads, handlers), *server.HANDLERS)
    server.Server("127.0.0.1", int(sys.argv[1]), in_memory=True).run()


def _insert(request: Any, response: Any, storage: Any, *rest: Any) -> None:
    if request.query["uploadType"] == ["multipart"]:  # an object in one request
        bucket, name = request.params["bucket_name"], request.data["meta"]["name"]
        logging.info("POST /%s/%s HTTP", bucket, quote(name))
        if request.query.get("ifGenerationMatch") == ["0"] and _is_there(storage, bucket, name):
            response.status = HTTPStatus.PRECONDITION_FAILED
            return
    objects.insert(request, response, storage, *rest)


def _is_there(storage: Any, bucket: str, name: str) -> bool:
    try:
        storage.get_file_obj(bucket, name)
    except NotFound:
        return False
    return True


def _cancel(request: Any, response: Any, *rest: Any) -> None:
    response.status = HTTPStatus.NO_CONTENT  # the store itself answers with 499, which has no name


if __name__ == "__main__":
    main()
