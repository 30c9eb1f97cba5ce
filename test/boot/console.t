#!/usr/bin/env python3
"""The console on a terminal: a shell inside, raw mode, and its end."""
import os, pty, re, select, signal, subprocess, sys, termios, time

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BUILD = os.environ.get("BUILD", "build")
KERNEL = os.environ.get("KERNEL", BUILD + "/kernel/vmlinuz")
count = failed = 0


def ok(name, good, detail=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        for line in str(detail).splitlines():
            print(f"# {line}")


class Terminal:
    """vmmu run on a terminal of its own."""

    def __init__(self, *words):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            [BUILD + "/vmmu", "run", *words], stdin=self.slave,
            stdout=self.slave, stderr=self.slave,
            preexec_fn=self.take_terminal)

    @staticmethod
    def take_terminal():
        os.setsid()
        import fcntl
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def expect(self, pattern, seconds=90):
        """True when the pattern comes; what came before it is dropped."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end():]
                return True
            if not select.select([self.master], [], [], 0.2)[0]:
                # Nothing more comes from a process that has ended.
                if self.process.poll() is not None or \
                        time.monotonic() > end:
                    return False
                continue
            self.text += os.read(self.master, 4096).decode("latin-1")

    def send(self, text):
        os.write(self.master, text.encode("latin-1"))

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def end(self, seconds=90):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def shell(scheme):
    return Terminal("--mmu", scheme, "--kernel", KERNEL, "--initrd",
                    BUILD + "/guest/initrd.cpio.gz", "--append",
                    "console=ttyS0 quiet vmmu.shell", "--timeout", "120")


for scheme in ("none", "nested"):
    t = shell(scheme)
    ok(f"{scheme}: the escape key is announced",
       t.expect("Ctrl-\\] ends the guest"), t.text)
    ok(f"{scheme}: a prompt comes", t.expect("# "), t.text)
    ok(f"{scheme}: the terminal is raw", t.raw())
    t.send("busybox expr 6 '*' 7\r")
    ok(f"{scheme}: a command answers", t.expect("\r\n42\r\n"), t.text)
    t.send("busybox sleep 1000\r")
    time.sleep(1)
    t.send("\x03")
    ok(f"{scheme}: Ctrl-C reaches the guest", t.expect("# ", 30), t.text)
    t.send("busybox echo " + "0123456789" * 20 + "end\r")
    ok(f"{scheme}: a long line arrives whole",
       t.expect("\r\n" + "0123456789" * 20 + "end", 30), t.text)
    t.send("exit\r")
    ok(f"{scheme}: it powers off", t.end() == 0)
    ok(f"{scheme}: the terminal is as before", t.restored())

# The monitor, at the terminal: lines are edited there, the guest's console is
# as it was behind it, and its key reaches the guest when pressed twice.
t = shell("nested")
ok("the monitor: its key is announced",
   t.expect(r"Ctrl-\\ opens the monitor"), t.text)
t.expect("# ")
t.send("\x1c")
ok("the monitor: a prompt comes", t.expect(r"\(vmmu\) ", 30), t.text)
ok("the monitor: lines are edited by the terminal", not t.raw())
t.send("gpa2hvaa\x7f 0x1000\n")
ok("the monitor: an answer", t.expect("Host virtual address for 0x1000"),
   t.text)
ok("the monitor: a prompt again", t.expect(r"\n\(vmmu\) ", 30), t.text)
t.send("\x03stats\x15scheme vtlb\n")
ok("the monitor: Ctrl-C is no end, Ctrl-U an eraser",
   t.expect(r"\nvtlb\r\n\(vmmu\) ", 30), t.text)
t.send("help\n")
ok("the monitor: help has both sides' commands",
   t.expect(r"quit -- (?s:.*)info tlb \[GVA\] -- ", 30), t.text)
t.send("cont\n")
time.sleep(0.5)
ok("the monitor: raw again", t.raw())
t.send("busybox expr 6 '*' 7\r")
ok("the monitor: the guest goes on", t.expect("\r\n42\r\n"), t.text)
t.send("\x1c")
t.expect(r"\(vmmu\) ")
t.send("\x04")
time.sleep(0.5)
ok("the monitor: Ctrl-D goes back", t.raw())
t.send("busybox stty -isig; busybox head -c 1 | busybox od -An -tx1\r")
time.sleep(1)
t.send("\x1c")
t.expect(r"\(vmmu\) ")
t.send("\x1c")
time.sleep(0.5)
t.send("\r")
ok("the monitor: its key twice reaches the guest",
   t.expect("\r\n 1c\r\n", 30), t.text)
t.send("\x1c")
t.expect(r"\(vmmu\) ")
t.send("quit\n")
ok("the monitor: quit: status", t.end() == 12)
ok("the monitor: quit: the terminal is as before", t.restored())

t = shell("none")
t.expect("# ")
t.send("\x1d")
ok("the escape key: status", t.end() == 12)
ok("the escape key: sentence", t.expect("the escape key ended"), t.text)
ok("the escape key: the terminal is as before", t.restored())

for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV):
    t = shell("none")
    t.expect("ends the guest")
    time.sleep(0.5)
    ok(f"{number.name}: raw before it", t.raw())
    t.process.send_signal(number)
    ok(f"{number.name}: it ends", t.end(10) not in (None, 0))
    ok(f"{number.name}: the terminal is as before", t.restored())

t = shell("none")
t.expect("ends the guest")
time.sleep(0.5)
t.process.send_signal(signal.SIGTSTP)
time.sleep(0.5)
ok("stopped: the terminal is as before", t.restored())
t.process.send_signal(signal.SIGCONT)
time.sleep(0.5)
ok("continued: raw again", t.raw())
t.send("\x1d")
ok("continued: the escape key ends it", t.end(10) == 12)
print(f"1..{count}")
sys.exit(failed != 0)
