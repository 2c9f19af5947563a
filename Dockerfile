# tita in a container; nothing is downloaded when it runs.
#   docker build -t tita .                               CPU: ONNX Runtime
#   docker build -t tita:cuda --build-arg EXTRA=gpu .    NVIDIA GPUs: PyTorch for CUDA; run with --gpus all
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" tita fuse ir.png vis.png -o out.png
FROM python:3.12-slim AS build
# Extras of pyproject.toml, such as "heic,raw,video,watch".
ARG EXTRA=""
# An index beside PyPI, such as PyTorch's own, which has the build for the CPU.
ARG PIP_EXTRA_INDEX_URL
COPY . /src
RUN python -m venv /opt/tita && /opt/tita/bin/pip install --no-cache-dir "/src${EXTRA:+[$EXTRA]}"

FROM python:3.12-slim
COPY --from=build /opt/tita /opt/tita
ENV PATH=/opt/tita/bin:$PATH
# Without --user, results belong to root.
WORKDIR /work
ENTRYPOINT ["tita"]
CMD ["--help"]
