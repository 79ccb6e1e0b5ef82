# trivium with one framework for an NVIDIA GPU. The driver is the host's; CUDA comes with the framework's own packages.
#   docker build -f docker/cuda.Dockerfile --build-arg FRAMEWORK=jax -t trivium-cuda .
#   docker run --rm --gpus all -v "$PWD:/work" trivium-cuda backends --probe
FROM python:3.12-slim AS build

# torch, jax or tensorflow. One an image: the packages of CUDA that each brings are not always of one version.
ARG FRAMEWORK=torch

COPY . /source
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The framework chooses the versions of CUDA; constraints.txt names those of all else.
RUN declare -A packages=([torch]="torch" [jax]="jax[cuda12]" [tensorflow]="tensorflow[and-cuda]") \
 && python -m venv /opt/trivium \
 && /opt/trivium/bin/pip install --no-cache-dir --constraint /source/constraints.txt \
    /source "${packages[$FRAMEWORK]:?FRAMEWORK is torch, jax or tensorflow}"

FROM python:3.12-slim

COPY --from=build /opt/trivium /opt/trivium
RUN useradd --create-home --uid 1000 trivium \
 && install --directory --mode 1777 /cache
ENV PATH=/opt/trivium/bin:$PATH \
    XDG_CACHE_HOME=/cache \
    KERAS_HOME=/cache/keras \
    MPLCONFIGDIR=/cache/matplotlib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000
WORKDIR /work
ENTRYPOINT ["trivium"]
CMD ["--help"]
