# syntax=docker/dockerfile:1

# Compiles the executable.
FROM denoland/deno:2.9.6 AS build
WORKDIR /build
COPY deno.json deno.lock main.ts ./
COPY lib lib
RUN deno task build

# Runs the end-to-end tests against the executable: docker compose --profile e2e run --rm --build e2e
FROM denoland/deno:2.9.6 AS e2e
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server chromium fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
WORKDIR /redis-proxy
COPY . .
COPY --from=build /build/dist/redis-proxy dist/redis-proxy
RUN deno install --frozen
ENTRYPOINT ["deno", "task", "test:e2e"]

# Holds the executable and what it is linked with, and nothing to build with.
FROM debian:bookworm-slim AS proxy
COPY --from=build /build/dist/redis-proxy /usr/local/bin/redis-proxy
USER 65532:65532
# An empty working folder: settings come from the environment.
WORKDIR /run/redis-proxy
ENV PROXY_HOST=0.0.0.0
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["redis-proxy", "--healthcheck"]
ENTRYPOINT ["redis-proxy"]
