# tita in a container; nothing is downloaded when it runs.
#   docker build -t tita .                        CPU: ONNX Runtime
#   docker build -t tita:cuda --build-arg EXTRA=gpu .    NVIDIA GPUs: PyTorch for CUDA; run with --gpus all
#   docker run --rm -v "$PWD:/work" tita fuse ir.png vis.png -o out.png
FROM python:3.12-slim AS build
ARG EXTRA=""
COPY . /src
RUN python -m venv /opt/tita && /opt/tita/bin/pip install --no-cache-dir "/src${EXTRA:+[$EXTRA]}"

FROM python:3.12-slim
COPY --from=build /opt/tita /opt/tita
ENV PATH=/opt/tita/bin:$PATH
# Results belong to whoever runs the container: docker run --user "$(id -u):$(id -g)" …
WORKDIR /work
ENTRYPOINT ["tita"]
CMD ["--help"]
