# The local app in a container: CPU, not root, nothing kept.
#
#   docker build -t sakuga .
#   docker run --rm -p 127.0.0.1:8000:8000 -e SAKUGA_TOKEN=$(openssl rand -hex 16) sakuga

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src ./src
RUN python -m venv --without-pip /opt/sakuga \
  && python -m pip --python /opt/sakuga install --no-cache-dir ".[heic]"

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin sakuga
COPY --from=build /opt/sakuga /opt/sakuga
USER sakuga
ENV PATH=/opt/sakuga/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD \
  ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# A container's own 127.0.0.1 is reached by nobody, so it listens everywhere, which needs the token
# in SAKUGA_TOKEN. Without it the server says so and ends.
CMD ["sakuga", "serve", "--host", "0.0.0.0"]
