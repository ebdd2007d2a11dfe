# The service: API, job runner, Ray's head, and work on CPUs.
FROM python:3.11-slim-trixie
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY constraints.txt pyproject.toml README.md ./
# CPU builds of torch come from an index of their own, and without gigabytes of CUDA
RUN pip install --index-url https://download.pytorch.org/whl/cpu "$(grep ^torch== constraints.txt)"
COPY . .
RUN pip install --constraint constraints.txt '.[postgres]'
# a new volume at .layerpress belongs to whom the folder belongs here
RUN useradd --create-home --uid 1000 layerpress \
    && install --directory --owner=layerpress /home/layerpress/.layerpress /models
USER layerpress
WORKDIR /models
EXPOSE 8400
ENTRYPOINT ["layerpress"]
CMD ["serve", "--help"]
