# One image for web, worker, scheduler and migrate; docker-compose.yml says which command each runs.

FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock requirements-runtime.lock ./
# uv's own lines of the lock, with their hashes: it is checked like everything it installs.
RUN sed -n '/^uv==/,/^    # via/p' requirements.lock > uv.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --no-deps -r uv.txt \
    && VIRTUAL_ENV=/opt/build /opt/build/bin/uv pip sync --no-cache --require-hashes requirements.lock \
    && python -m venv --without-pip /opt/kentongan \
    && VIRTUAL_ENV=/opt/kentongan /opt/build/bin/uv pip sync --no-cache --require-hashes requirements-runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY platform platform
COPY workers workers
COPY feeds feeds
RUN /opt/build/bin/python -m hatchling build -t wheel -d dist \
    && VIRTUAL_ENV=/opt/kentongan /opt/build/bin/uv pip install --no-cache --no-deps dist/*.whl

FROM python:3.11-slim
RUN groupadd --system --gid 10450 kentongan \
    && useradd --system --uid 10450 --gid kentongan --home-dir /var/lib/kentongan --shell /usr/sbin/nologin kentongan \
    && install -d -m 0700 -o kentongan -g kentongan /var/lib/kentongan
COPY --from=build /opt/kentongan /opt/kentongan
ENV PATH=/opt/kentongan/bin:$PATH \
    KENTONGAN_DATA_DIR=/var/lib/kentongan \
    KENTONGAN_HOST=0.0.0.0
USER kentongan
WORKDIR /var/lib/kentongan
VOLUME /var/lib/kentongan
EXPOSE 8450
STOPSIGNAL SIGTERM
ENTRYPOINT ["kentongan"]
CMD ["up"]
