# RegionForge on processors: builds, captions of a server or of our own, reports, exports.
#
#     docker build -f docker/cpu.Dockerfile -t regionforge .
#     docker run --rm -v /data:/data:ro -v /shards:/shards regionforge \
#         build --sources coco --data-root /data --output /shards/coco
#
# Models and scores of CLIP take more: --build-arg EXTRAS=serve,clip,train (PyTorch, 5 GB).
FROM python:3.13-slim-trixie

ARG EXTRAS=serve
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1

WORKDIR /opt/regionforge
COPY . .
RUN pip install -c constraints.txt setuptools \
    && pip install -c constraints.txt --no-build-isolation ".[${EXTRAS}]"

# Outputs belong to this user: give folders of the host to the same number, or name yours by --user.
RUN useradd --uid 1000 --create-home forge
USER 1000
WORKDIR /home/forge
ENTRYPOINT ["regionforge"]
CMD ["--help"]
