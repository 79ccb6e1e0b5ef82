# trivium with the three frameworks, CPU only. From the repository's root:
#   docker build -f docker/cpu.Dockerfile -t trivium .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" trivium verify my_model.py:build
FROM python:3.12-slim AS build

# One framework: --build-arg EXTRAS=jax
ARG EXTRAS=all

COPY . /source
RUN python -m venv /opt/trivium \
 && /opt/trivium/bin/pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    --constraint /source/constraints.txt "/source[${EXTRAS}]"

FROM python:3.12-slim

COPY --from=build /opt/trivium /opt/trivium
# Any user may run it: caches lie in a folder that every user may write to.
RUN useradd --create-home --uid 1000 trivium \
 && install --directory --mode 1777 /cache
ENV PATH=/opt/trivium/bin:$PATH \
    XDG_CACHE_HOME=/cache \
    KERAS_HOME=/cache/keras \
    MPLCONFIGDIR=/cache/matplotlib
USER 1000
WORKDIR /work
ENTRYPOINT ["trivium"]
CMD ["--help"]
