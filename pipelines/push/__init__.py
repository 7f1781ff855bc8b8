"""Push: a build, or an export of one, published as a data set on the Hugging Face Hub."""

from pipelines.push.contents import Contents, contents_of
from pipelines.push.upload import push

__all__ = ["Contents", "contents_of", "push"]
