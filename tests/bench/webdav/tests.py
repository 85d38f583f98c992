"""What is measured. Each test gives samples: requests a second (or MB/s), and the server's CPU time a request (or a GiB)."""
import os
import subprocess
import time

from rounds import Failed

PROPFIND = ('<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:getlastmodified/><D:getcontentlength/>'
            "<D:creationdate/><D:resourcetype/></D:prop></D:propfind>")
SMALL = 4096
MEMBERS = 1000


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if not done.stdout.startswith("2"):
        raise Failed(f"curl {' '.join(arguments[-3:])}: {done.stdout} {done.stderr.strip()}")


LUA_END = """
local threads = {}
function setup(t) table.insert(threads, t) end
function init(args) bad = 0 end
function response(s, h, b) if s >= 400 or s < 200 then bad = bad + 1 end end
function done(summary, latency, requests)
  local b = 0
  for _, t in ipairs(threads) do b = b + (t:get("bad") or 0) end
  io.write(string.format("RESULT %d %d %d\\n", summary.requests, summary.duration, b + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


class Load:
    """The files that clients send, and wrk's scripts."""

    def __init__(self, folder, mib, seconds):
        self.folder, self.mib, self.seconds = folder, mib, seconds
        self.small, self.big = f"{folder}/small", f"{folder}/big"
        with open(self.small, "wb") as file:
            file.write(os.urandom(SMALL))
        with open(self.big, "wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1 << 20))
        self.script("get", "")
        for depth in (0, 1):
            self.script(f"propfind{depth}", f"wrk.method='PROPFIND'; wrk.body=[[{PROPFIND}]]; wrk.headers['Content-Type']='text/xml'; "
                                            f"wrk.headers['Depth']='{depth}'")
        self.script("put", f"wrk.method='PUT'; local f=io.open('{self.small}','rb'); wrk.body=f:read('*a'); f:close(); local n=0; "
                           "function request() n=n+1; return wrk.format(nil, wrk.path..'p'..(n%1000)) end")
        self.script("range", f"local n={mib << 20}-65536; function request() local o=math.random(0,n); "
                             "wrk.headers['Range']='bytes='..o..'-'..(o+65535); return wrk.format() end")

    def script(self, name, text):
        with open(f"{self.folder}/{name}.lua", "w", encoding="utf-8") as file:
            file.write(text + LUA_END)

    def prepare(self, server):
        url = server.url
        for name in ("bench/", "bench/d1000/", "bench/puts/"):
            curl("-X", "MKCOL", url + name)
        curl("-H", "Expect:", "-T", self.small, url + "bench/small")
        config = "".join(f'upload-file = "{self.small}"\nurl = "{url}bench/d1000/file{i:04}.txt"\noutput = /dev/null\nheader = "Expect:"\n'
                         for i in range(MEMBERS))
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-K", "-"], input=config, text=True, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise Failed(f"cannot make {MEMBERS} files: {done.stderr.strip()}")

    def wrk(self, server, script, path, connections):
        before = server.cpu()
        done = subprocess.run(["wrk", "-t", "2" if connections >= 16 else "1", "-c", str(connections), "-d", f"{self.seconds}s", "--timeout", "10s", "-s",
                               f"{self.folder}/{script}.lua", server.url + path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        cpu = server.cpu() - before
        line = next((l for l in done.stdout.splitlines() if l.startswith("RESULT")), None)
        if not line:
            raise Failed(f"wrk: {done.stdout} {done.stderr}")
        _, requests, microseconds, bad = line.split()
        if int(bad) or not int(requests):
            raise Failed(f"{bad} of {requests} requests failed")
        return int(requests) / (int(microseconds) / 1e6), cpu / int(requests) * 1e6

    def big_one(self, server, *arguments):
        before, begin = server.cpu(), time.monotonic()
        curl(*arguments)
        seconds, cpu = time.monotonic() - begin, server.cpu() - before
        return self.mib * (1 << 20) / 1e6 / seconds, cpu * 1024 / self.mib


# name -> (unit of speed, unit of CPU, what is done)
TESTS = {
    "put": ("MB/s", "s/GiB", lambda l, s: l.big_one(s, "-H", "Expect:", "-T", l.big, s.url + "bench/big")),
    "put_chunked": ("MB/s", "s/GiB", lambda l, s: l.big_one(s, "-H", "Expect:", "-H", "Transfer-Encoding: chunked", "-T", l.big, s.url + "bench/big2")),
    "get": ("MB/s", "s/GiB", lambda l, s: l.big_one(s, s.url + "bench/big")),
    "get4k_1": ("1/s", "us", lambda l, s: l.wrk(s, "get", "bench/small", 1)),
    "get4k_16": ("1/s", "us", lambda l, s: l.wrk(s, "get", "bench/small", 16)),
    "propfind0_1": ("1/s", "us", lambda l, s: l.wrk(s, "propfind0", "bench/small", 1)),
    "propfind0_16": ("1/s", "us", lambda l, s: l.wrk(s, "propfind0", "bench/small", 16)),
    "propfind1000_1": ("1/s", "us", lambda l, s: l.wrk(s, "propfind1", "bench/d1000/", 1)),
    "put4k_4": ("1/s", "us", lambda l, s: l.wrk(s, "put", "bench/puts/", 4)),
    "range64k_4": ("1/s", "us", lambda l, s: l.wrk(s, "range", "bench/big", 4)),
}
# Our CPU time over that of the best of the others: at most.
BARS = {name: 0.5 if name == "propfind1000_1" else 1.0 for name in TESTS}
