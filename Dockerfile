# One image for every process; the command names which: router, orchestrator, projector, timekeeper, api, topics.
FROM python:3.13-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --create-home --uid 10001 orchestrator && mkdir /data /projection && chown orchestrator /data /projection
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER orchestrator
WORKDIR /data
VOLUME /data
ENTRYPOINT ["bos"]
CMD ["--help"]
