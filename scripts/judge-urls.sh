#!/usr/bin/env bash
# judge-urls.sh OUT_DIR DISK…: a disk behind a URL must give the report of the file: from nginx (HTTP, and HTTPS with a
# certificate of its own authority; the first disk also by proxies, in tunnels and without, spoken to with and without TLS) and
# as a page blob of Azurite with a shared access signature: raw disks, and each disk as a fixed VHD, which Azure's snapshots
# are. Prints the requests and bytes of each scan. Needs nginx, openssl, qemu-img, and npm to install Azurite: without it the
# last line says what was not run. Servers listen on the loopback only.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "$1"); shift
mkdir -p "$out/www"
icecore=$PWD/target/release/icecore
[ -x "$icecore" ] || cargo build --quiet --release --locked
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
http=$(port); https=$(port); blob=$(port); proxy=$(port); tls_proxy=$(port)

command -v nginx > /dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light > /dev/null; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout "$out/ca.key" -out "$out/ca.pem" 2> /dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$out/key.pem" -out "$out/csr.pem" 2> /dev/null
openssl x509 -req -in "$out/csr.pem" -CA "$out/ca.pem" -CAkey "$out/ca.key" -days 2 -out "$out/cert.pem" -extfile <(echo subjectAltName=DNS:localhost) 2> /dev/null
cat > "$out/nginx.conf" <<N
daemon off; pid $out/nginx.pid; error_log $out/nginx.log; worker_processes 2; user root;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path $out/t1; proxy_temp_path $out/t2; fastcgi_temp_path $out/t3; uwsgi_temp_path $out/t4; scgi_temp_path $out/t5;
  server { listen 127.0.0.1:$http; listen 127.0.0.1:$https ssl; ssl_certificate $out/cert.pem; ssl_certificate_key $out/key.pem; root $out/www; }
}
N
nginx -c "$out/nginx.conf" & pids+=($!)

# A proxy that makes tunnels and passes whole URLs on, to whom gives it a password; it notes the methods.
python3 - "$proxy" "$tls_proxy" "$out" <<'P' & pids+=($!)
import socket, ssl, sys, threading
*ports, out = sys.argv[1:]
def copy(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    for end in (a, b):
        try: end.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(client, log):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (more := client.recv(1)): return client.close()
        head += more
    line, rest = head.split(b"\r\n", 1)
    method, target, _ = line.split()
    if b"proxy-authorization: basic dTpzM2NyM3Q=" not in head.replace(b"Proxy-Auth", b"proxy-auth").replace(b"Basic", b"basic"):
        return client.sendall(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    log.write(method.decode() + "\n"); log.flush()
    place = target if method == b"CONNECT" else target.split(b"/")[2]
    host, port = place.decode().rsplit(":", 1)
    server = socket.create_connection((host, int(port)))
    if method == b"CONNECT": client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    else: server.sendall(b"GET /" + target.split(b"/", 3)[3] + b" HTTP/1.1\r\nConnection: close\r\n" + rest)
    threading.Thread(target=copy, args=(client, server), daemon=True).start()
    copy(server, client)
def listen(port, name, context):
    log = open(f"{out}/{name}.log", "w")
    def accept(client):
        try: serve(context.wrap_socket(client, server_side=True) if context else client, log)
        except OSError: pass
    listener = socket.create_server(("127.0.0.1", int(port)))
    while True: threading.Thread(target=accept, args=(listener.accept()[0],), daemon=True).start()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(f"{out}/cert.pem", f"{out}/key.pem")
threading.Thread(target=listen, args=(ports[1], "tls-proxy", context), daemon=True).start()
listen(ports[0], "proxy", None)
P

azurite=$out/azurite/node_modules/.bin/azurite-blob
if [ ! -x "$azurite" ] && ! command -v npm > /dev/null; then
  # Some 400 small packages, 50 MiB.
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends npm; } > "$out/npm.log" 2>&1 || true
fi
if [ ! -x "$azurite" ] && ! npm install --silent --no-audit --no-fund --prefix "$out/azurite" azurite@3 >> "$out/npm.log" 2>&1; then azurite=; fi
if [ "$azurite" ]; then
  "$azurite" --silent --inMemoryPersistence --skipApiVersionCheck --blobHost 127.0.0.1 --blobPort "$blob" > "$out/azurite.log" 2>&1 &
  pids+=($!)
fi

rm -f "$out/last"
# Puts a raw disk into a new page blob, the pages with something in them; prints its URL, good for reading.
put() {
  python3 - "$1" "$blob" "$out" <<'P'
import base64, hashlib, hmac, sys, time, urllib.parse, urllib.request
path, port, out = sys.argv[1:]
# Azurite's own account, known to all.
account, key = "devstoreaccount1", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
def signed(permissions):
    version, end = "2021-08-06", "2099-01-01T00:00:00Z"
    text = "\n".join([account, permissions, "b", "sco", "", end, "", "https,http", version, "", ""])
    sum = base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest())
    return urllib.parse.urlencode({"sv": version, "ss": "b", "srt": "sco", "sp": permissions, "se": end, "spr": "https,http", "sig": sum})
base, write = f"http://127.0.0.1:{port}/{account}", signed("rwdlacup")
def send(target, headers, body=b""):
    request = urllib.request.Request(f"{base}/{target}&{write}", data=body, method="PUT", headers={"x-ms-version": "2021-08-06", **headers})
    urllib.request.urlopen(request).read()
for attempt in range(60):
    try:
        send("disks?restype=container", {})
        break
    except urllib.error.HTTPError as error:
        if error.code == 409: break
        raise
    except OSError:
        time.sleep(0.5)
name, piece = path.rsplit("/", 1)[1], 4 << 20
try: last = open(f"{out}/last").read()
except OSError: last = None
if last:
    # The blobs are in memory: one at a time.
    urllib.request.urlopen(urllib.request.Request(f"{base}/disks/{last}?{write}", method="DELETE", headers={"x-ms-version": "2021-08-06"})).read()
open(f"{out}/last", "w").write(name)
with open(path, "rb") as disk:
    disk.seek(0, 2); size = disk.tell(); disk.seek(0)
    send(f"disks/{name}?", {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": str(size)})
    for at in range(0, size, piece):
        data = disk.read(piece)
        # Runs of pages of 64 KiB that are not all zeros.
        step, start = 65536, None
        for offset in range(0, len(data) + step, step):
            page = data[offset:offset + step]
            if page.strip(b"\0"):
                start = offset if start is None else start
            elif start is not None:
                run = data[start:offset]
                send(f"disks/{name}?comp=page", {"x-ms-page-write": "update", "Range": f"bytes={at + start}-{at + start + len(run) - 1}"}, run)
                start = None
print(f"{base}/disks/{name}?{signed('r')}")
P
}

plain=(env -u http_proxy -u HTTP_PROXY -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY -u no_proxy -u NO_PROXY "SSL_CERT_FILE=$out/ca.pem")
compare() { # what disk url [VARIABLE=…]
  local code=0 run=("${plain[@]}" "${@:4}" "$icecore" scan --no-vulnerabilities -f json -q)
  "${run[@]}" --reproducible "$3" > "$out/url.json" 2> "$out/url.err" || code=$?
  [ "$code" = "$expected" ] || { cat "$out/url.err"; echo "$1 $2: exit $code, not $expected"; exit 1; }
  cmp "$out/file.json" "$out/url.json" || { echo "$1 $2: another report"; exit 1; }
  "${run[@]}" "$3" > "$out/run.json" 2>> "$out/url.err" || true
  if grep -q "sig=\|s3cr3t" "$out/run.json" "$out/url.err"; then echo "$1 $2: a secret is shown"; exit 1; fi
  python3 -c 'import json, sys
s = json.load(open(sys.argv[3]))["stats"]
requests, received, read = s["requests"], s["bytes_received"] / 2**20, s["bytes_read"] / 2**20
print(f"{sys.argv[1]:12} {sys.argv[2]:28} same report: {requests} requests, {received:.1f} MiB received, {read:.1f} MiB read")' "$1" "$2" "$out/run.json"
}

file() { # the report of a file
  expected=0
  "$icecore" scan --no-vulnerabilities -f json -q --reproducible "$1" > "$out/file.json" || expected=$?
}

first=yes
for disk; do
  name=$(basename "$disk")
  ln -sf "$(realpath "$disk")" "$out/www/$name"
  file "$disk"
  compare http "$name" "http://127.0.0.1:$http/$name?sig=secret"
  compare https "$name" "https://localhost:$https/$name?sig=secret"
  if [ "$first" ]; then
    first=
    by=http://u:s3cr3t@127.0.0.1:$proxy by_tls=https://u:s3cr3t@localhost:$tls_proxy
    compare proxy "$name" "http://127.0.0.1:$http/$name" "http_proxy=$by"
    grep -q GET "$out/proxy.log" || { echo "no request by the proxy"; exit 1; }
    compare tunnel "$name" "https://localhost:$https/$name" "https_proxy=$by"
    grep -q CONNECT "$out/proxy.log" || { echo "no tunnel by the proxy"; exit 1; }
    for url in "http://127.0.0.1:$http/$name" "https://localhost:$https/$name"; do
      compare tls-proxy "$name" "$url" "ALL_PROXY=$by_tls"
    done
    [ "$(grep -c CONNECT "$out/tls-proxy.log")" -gt 1 ] || { echo "no tunnels by the proxy with TLS"; exit 1; }
  fi
  if [ "$azurite" ]; then
    case $name in *.raw) compare azurite "$name" "$(put "$(realpath "$disk")")" ;; esac
    vhd=$out/${name%.*}.vhd
    qemu-img convert -O vpc -o subformat=fixed,force_size=on "$disk" "$vhd"
    file "$vhd"
    compare azurite "$(basename "$vhd")" "$(put "$vhd")"
    rm "$vhd"
  fi
done
if [ ! "$azurite" ]; then echo "NOT RUN: page blobs and fixed VHDs: npm, which installs Azurite, is missing or cannot"; fi
