# RegionForge on an NVIDIA GPU: training, CLIP, and vLLM for `recap --serve` in a venv of its own.
#
#     docker build -f docker/cuda.Dockerfile -t regionforge:cuda .
#     docker run --rm --gpus all --ipc=host -v /data:/data:ro -v /shards:/shards \
#         -v ~/.cache/huggingface:/home/forge/.cache/huggingface regionforge:cuda \
#         recap --source v3det --data-root /data --output /shards/recapd --no-filter \
#         --serve Qwen/Qwen2.5-VL-7B-Instruct --vllm /opt/vllm/bin/vllm
#
# The host has the driver and the NVIDIA container toolkit; PyTorch brings CUDA's libraries. Triton
# compiles its launchers at run time, hence the compiler.
FROM python:3.12-slim-trixie

# Whichever compiler the base image's release has will do.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# vLLM pins a PyTorch of its own; the version is the one that the tests run with.
RUN python -m venv /opt/vllm && /opt/vllm/bin/pip install vllm==0.32.0

WORKDIR /opt/regionforge
COPY . .
RUN pip install -c constraints.txt setuptools \
    && pip install -c constraints.txt --no-build-isolation ".[clip,serve,train]"

RUN useradd --uid 1000 --create-home forge \
    && mkdir -p /home/forge/.cache/huggingface \
    && chown -R forge:forge /home/forge/.cache
USER 1000
WORKDIR /home/forge
ENTRYPOINT ["regionforge"]
CMD ["--help"]
