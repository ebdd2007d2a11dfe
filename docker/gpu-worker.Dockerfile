# A machine with GPUs that joins the service's Ray: docker run --gpus all ... --address=SERVICE:6379
FROM python:3.11-slim-trixie
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY constraints.txt pyproject.toml README.md ./
# the builds on PyPI bring their CUDA along; the machine needs a driver and the NVIDIA container toolkit
RUN pip install "$(grep ^torch== constraints.txt)"
COPY . .
RUN pip install --constraint constraints.txt .
RUN useradd --create-home --uid 1000 layerpress \
    && install --directory --owner=layerpress /home/layerpress/.layerpress
USER layerpress
WORKDIR /home/layerpress
ENTRYPOINT ["ray", "start", "--block", "--disable-usage-stats"]
CMD ["--address=service:6379"]
