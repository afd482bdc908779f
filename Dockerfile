# syntax=docker/dockerfile:1
# The image: one static binary on nothing. `docker build -t mallard-metrics .`, or, for both kinds of machines,
# `docker buildx build --platform linux/amd64,linux/arm64 -t mallard-metrics .`
#
# The first build compiles DuckDB (40 minutes on two cores); later ones take it from the cache mounts.

# The same files for every machine.
FROM --platform=$BUILDPLATFORM node:22-bookworm-slim AS dashboard
WORKDIR /dashboard
COPY dashboard/package.json dashboard/package-lock.json dashboard/.npmrc ./
RUN --mount=type=cache,target=/npm npm ci --cache /npm --no-audit --no-fund
COPY dashboard ./
RUN npm run build

FROM rust:1.95-bookworm AS builder
# Without this line it is empty, and both kinds of machines share one cache.
ARG TARGETARCH
WORKDIR /source
ENV CARGO_TARGET_DIR=/target MALLARD_DASHBOARD_DIST=/dashboard/dist
COPY --from=dashboard /dashboard/dist /dashboard/dist
COPY . .
# NOTE: crt-static is given to the binary alone: as RUSTFLAGS it would reach build scripts and macros, too.
RUN --mount=type=cache,id=target-$TARGETARCH,target=/target,sharing=locked \
    --mount=type=cache,id=registry-$TARGETARCH,target=/usr/local/cargo/registry,sharing=locked \
    cargo rustc --locked --profile dist -p mallard-http --bin mallard-metrics -- -C target-feature=+crt-static \
    && mkdir -p /image/data /image/tmp \
    && chmod 0700 /image/data && chmod 1777 /image/tmp \
    && mkdir -p /image/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp /target/dist/mallard-metrics /image/mallard-metrics

FROM scratch
COPY --from=builder /image /
ENV MALLARD_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
# Started as root it takes over the data directory, which a new volume gives to root, and goes on as user 65532.
ENTRYPOINT ["/mallard-metrics"]
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/mallard-metrics", "healthcheck"]
