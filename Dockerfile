# The operator's image: docker build -t registry.example.com/team/wasm-operator:0.1.0 .
# deploy/image.py makes the same kind of image without a container engine.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      ca-certificates cmake gcc libc6-dev libcjson-dev libcurl4-openssl-dev libcmocka-dev libmicrohttpd-dev libnats-dev \
      libpcre2-dev libssl-dev libuv1-dev libyaml-dev ninja-build pkg-config python3 binutils \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN cmake -S /source -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release \
    && ninja -C /build wasm-operator \
    && python3 /source/deploy/image.py --binary /build/wasm-operator --output /image.tar \
    && mkdir /root-of-image \
    && tar -xOf /image.tar "$(tar -xOf /image.tar manifest.json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Layers"][0])')" \
       | tar -xz -C /root-of-image

FROM scratch
COPY --from=build /root-of-image/ /
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/wasm-operator"]
