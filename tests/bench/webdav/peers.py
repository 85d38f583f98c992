"""The servers that are measured: ours on a folder and in memory, and those of others, each with a folder of its own on one tmpfs."""
import os
import re
import shutil
import socket
import subprocess
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A server that runs: its URL ends in '/'."""

    def __init__(self, name, process, url):
        self.name, self.process, self.url = name, process, url

    def pids(self):
        """Its process and all below, for servers with workers."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            try:
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                    waiting += [int(word) for word in file.read().split()]
            except OSError:
                pass
        return found

    def cpu(self):
        """Seconds of user and system time so far."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    fields = file.read().rsplit(") ", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name, command, url, port, log, **more):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **more)
    for _ in range(100):
        if answers(port):
            return Server(name, process, url)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"{name} does not start: see {log.name}")


def ours(name, isthmus, source, log):
    process = subprocess.Popen([isthmus, "serve", source, "--webdav"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    for line in process.stdout:
        found = re.match(r"WebDAV at (\S+)", line)
        if found:
            return Server(name, process, found.group(1))
    raise RuntimeError(f"{name} does not start: see {log.name}")


def apache(folder, root, log):
    port = free_port()
    modules = "/usr/lib/apache2/modules"
    conf = f"""ServerRoot /etc/apache2
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.err
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dav_module {modules}/mod_dav.so
LoadModule dav_fs_module {modules}/mod_dav_fs.so
User www-data
Group www-data
DavLockDB {folder}/lock/apache
DocumentRoot {root}
KeepAlive On
MaxKeepAliveRequests 0
EnableSendfile On
<Directory {root}>
  Dav On
  Require all granted
</Directory>
"""
    with open(f"{folder}/apache.conf", "w", encoding="utf-8") as file:
        file.write(conf)
    return start("apache", ["apache2", "-f", f"{folder}/apache.conf", "-DFOREGROUND"], f"http://127.0.0.1:{port}/", port, log)


def nginx(folder, root, log):
    port = free_port()
    conf = f"""load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
user www-data; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/nginx.err; daemon off;
events {{ worker_connections 1024; }}
http {{ sendfile on; client_max_body_size 0; access_log off; keepalive_requests 1000000000;
 client_body_temp_path {root}/.tmp; dav_ext_lock_zone zone=davlock:10m;
 server {{ listen 127.0.0.1:{port}; root {root};
  location / {{ dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK; dav_ext_lock zone=davlock;
   dav_access user:rw group:r; min_delete_depth 0; }} }} }}
"""
    with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(conf)
    return start("nginx", ["nginx", "-c", f"{folder}/nginx.conf"], f"http://127.0.0.1:{port}/", port, log)


def lighttpd(folder, root, log):
    port = free_port()
    conf = f"""server.modules = ( "mod_access", "mod_webdav" )
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}"
server.errorlog = "{folder}/lock/lighttpd.err"
server.username = "www-data"
server.groupname = "www-data"
server.max-keep-alive-requests = 65535
server.upload-dirs = ( "{root}" )
webdav.activate = "enable"
webdav.is-readonly = "disable"
webdav.sqlite-db-name = "{folder}/lock/lighttpd.db"
"""
    with open(f"{folder}/lighttpd.conf", "w", encoding="utf-8") as file:
        file.write(conf)
    return start("lighttpd", ["lighttpd", "-D", "-f", f"{folder}/lighttpd.conf"], f"http://127.0.0.1:{port}/", port, log)


def rclone(folder, root, log):
    port = free_port()
    return start("rclone", ["rclone", "serve", "webdav", root, "--addr", f"127.0.0.1:{port}", "--config", f"{folder}/rclone.conf"],
                 f"http://127.0.0.1:{port}/", port, log)


OTHERS = {"apache": ("apache2", apache), "nginx": ("nginx", nginx), "lighttpd": ("lighttpd", lighttpd), "rclone": ("rclone", rclone)}
OURS = {"pass": True, "mem": True}


def start_all(names, isthmus, folder):
    """Servers by name; the reasons why others are left out."""
    os.makedirs(f"{folder}/lock", exist_ok=True)
    os.chmod(folder, 0o755)
    if os.geteuid() == 0:
        shutil.chown(f"{folder}/lock", "www-data", "www-data")
    servers, skipped = [], {}
    with open(f"{folder}/rclone.conf", "w", encoding="utf-8"):
        pass
    for name in names:
        root = f"{folder}/root/{name}"
        os.makedirs(root)
        with open(f"{folder}/{name}.log", "w", encoding="utf-8") as log:
            if name in OURS:
                servers.append(ours(name, isthmus, "mem:" if name == "mem" else root, log))
                continue
            program, begin = OTHERS[name]
            if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                skipped[name] = f"{program} is not installed"
                continue
            if os.geteuid() == 0 and name != "rclone":
                shutil.chown(root, "www-data", "www-data")
            try:
                servers.append(begin(folder, root, log))
            except RuntimeError as e:
                skipped[name] = str(e)
    return servers, skipped
