# The page: docker build -t hypersd . && docker run -p 7860:7860 -v hypersd-data:/data hypersd
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 hypersd \
    && mkdir /data \
    && chown hypersd /data
WORKDIR /home/hypersd/page

# The requirements come first: a change of the code does not install them again.
COPY requirements.txt ./
RUN PIP_NO_CACHE_DIR=1 pip install -r requirements.txt

COPY app.py LICENSE NOTICE README.md ./
COPY assets assets
COPY hypersd hypersd
COPY app app

USER hypersd
ENV HYPERSD_DATA=/data \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
# 503 without the vote store; urlopen raises, and the check fails.
HEALTHCHECK --interval=30s --timeout=15s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/health', timeout=10)"]
CMD ["python", "app.py"]
