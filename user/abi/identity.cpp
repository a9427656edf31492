// Users and groups: who a process runs for, and what that may do to files and to others.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr int nobody = 65534, somebody = 1000;
constexpr int read_it = 4, write_it = 2, execute_it = 1;

void show_ids(std::string_view what) {
  u32 ids[3] = {};
  call(Call::getresuid, &ids[0], &ids[1], &ids[2]);
  char text[40];
  std::size_t size = 0;
  for (const u32 id : ids) {
    char digits[10];
    std::size_t count = 0;
    for (u32 left = id; count == 0 || left != 0; left /= 10) digits[count++] = static_cast<char>('0' + left % 10);
    while (count > 0) text[size++] = digits[--count];
    text[size++] = ' ';
  }
  show(what, std::string_view(text, size));
}

int become(int user_id, int group_id) {
  call(Call::setgroups, 0, nullptr);
  call(Call::setgid, group_id);
  return static_cast<int>(call(Call::setuid, user_id));
}

void changing() {
  begin_part("ids");
  show_ids("at first");
  show("groups at first", call(Call::getgroups, 0, nullptr));
  in_child([] {
    show("setuid", call(Call::setuid, nobody));
    show_ids("after setuid");
    show("back to root", call(Call::setuid, 0));
    show("setgid of a stranger", call(Call::setgid, 5));
    show("setgroups", call(Call::setgroups, 0, nullptr));
    show("setreuid of a stranger", call(Call::setreuid, -1, 7));
    show("setuid to what it is", call(Call::setuid, nobody));
    show("geteuid", call(Call::geteuid));
    return 0;
  });
  in_child([] {
    show("setresuid", call(Call::setresuid, somebody, nobody, 0));
    show_ids("after setresuid");
    show("effective to real", call(Call::setresuid, -1, somebody, -1));
    show("and to the saved one", call(Call::setuid, 0));
    show_ids("root by the saved one");
    show("setreuid swaps", call(Call::setreuid, 0, somebody));
    show_ids("after setreuid");
    return 0;
  });
  in_child([] {
    const u32 groups[] = {3, 4, 5};
    show("three groups", call(Call::setgroups, 3, groups));
    u32 found[3] = {};
    show("how many", call(Call::getgroups, 0, nullptr));
    show("too little room", call(Call::getgroups, 2, found));
    show("all of them", call(Call::getgroups, 3, found));
    show("the last one", found[2]);
    show("groups at a bad address", call(Call::setgroups, 3, unmapped_address));
    show("too many groups", call(Call::setgroups, 100000, groups));
    show("setgid", call(Call::setgid, 4));
    show("getgid", call(Call::getgid));
    show("getegid", call(Call::getegid));
    return 0;
  });
  show("setuid of -1", call(Call::setuid, -1));
}

void open_and_close(std::string_view what, const char* path, int flags, int mode = 0) {
  const i64 file = call(Call::open, path, flags, mode);
  show(what, file < 0 ? file : 0);
  if (file >= 0) call(Call::close, file);
}

void files() {
  begin_part("files");
  call(Call::umask, 022);
  call(Call::mkdir, "/tmp/id", 0777);
  call(Call::chmod, "/tmp/id", 0777);
  call(Call::mkdir, "/tmp/id/shut", 0700);
  call(Call::mkdir, "/tmp/id/sticky", 0777);
  call(Call::chmod, "/tmp/id/sticky", 01777);
  call(Call::mkdir, "/tmp/id/closed", 0755);
  for (const char* const path : {"/tmp/id/root", "/tmp/id/shut/inside", "/tmp/id/sticky/root", "/tmp/id/closed/root"}) {
    call(Call::close, call(Call::open, path, open_flag::create | open_flag::write_only, 0644));
  }
  call(Call::close, call(Call::open, "/tmp/id/secret", open_flag::create | open_flag::write_only, 0600));
  call(Call::close, call(Call::open, "/tmp/id/groups", open_flag::create | open_flag::write_only, 0640));
  call(Call::chown, "/tmp/id/groups", 0, 77);
  in_child([] {
    const u32 groups[] = {77};
    call(Call::setgroups, 1, groups);
    call(Call::setgid, nobody);
    call(Call::setuid, nobody);
    open_and_close("read what all may read", "/tmp/id/root", 0);
    open_and_close("write it", "/tmp/id/root", open_flag::write_only);
    open_and_close("cut it", "/tmp/id/root", open_flag::truncate);
    open_and_close("read a secret", "/tmp/id/secret", 0);
    open_and_close("read as one of the group", "/tmp/id/groups", 0);
    open_and_close("write as one of the group", "/tmp/id/groups", open_flag::write_only);
    open_and_close("through a shut directory", "/tmp/id/shut/inside", 0);
    open_and_close("what is not there in it", "/tmp/id/shut/nothing", 0);
    open_and_close("list it", "/tmp/id/shut", open_flag::directory);
    open_and_close("make a file", "/tmp/id/own", open_flag::create | open_flag::write_only, 0600);
    open_and_close("make one where it may not", "/tmp/id/closed/own", open_flag::create | open_flag::write_only, 0600);
    show("access to read", call(Call::access, "/tmp/id/secret", read_it));
    show("access to write", call(Call::access, "/tmp/id/own", write_it));
    show("access to execute", call(Call::access, "/tmp/id/own", execute_it));
    show("chdir into the shut one", call(Call::chdir, "/tmp/id/shut"));
    show("mkdir", call(Call::mkdir, "/tmp/id/closed/directory", 0777));
    show("mkdir of what is there", call(Call::mkdir, "/tmp/id/closed", 0777));
    show("unlink", call(Call::unlink, "/tmp/id/closed/root"));
    show("unlink of nothing", call(Call::unlink, "/tmp/id/closed/nothing"));
    show("rename", call(Call::rename, "/tmp/id/closed/root", "/tmp/id/taken"));
    show("symlink", call(Call::symlink, "/tmp", "/tmp/id/closed/link"));
    show("link", call(Call::link, "/tmp/id/own", "/tmp/id/closed/link"));
    show("unlink in a sticky directory", call(Call::unlink, "/tmp/id/sticky/root"));
    show("rename in a sticky directory", call(Call::rename, "/tmp/id/sticky/root", "/tmp/id/sticky/other"));
    show("unlink a stranger's in an open directory", call(Call::unlink, "/tmp/id/root"));
    show("chmod of a stranger's", call(Call::chmod, "/tmp/id/groups", 0666));
    show("chmod of its own", call(Call::chmod, "/tmp/id/own", 0644));
    show("chown to another user", call(Call::chown, "/tmp/id/own", somebody, -1));
    show("chown to its own group", call(Call::chown, "/tmp/id/own", -1, 77));
    show("chown to another group", call(Call::chown, "/tmp/id/own", -1, 78));
    show("truncate", call(Call::truncate, "/tmp/id/groups", 0));
    show("mknod of a device", call(Call::mknod, "/tmp/id/device", 0020666, 0x103));
    show("mknod of a FIFO", call(Call::mknod, "/tmp/id/fifo", 0010666, 0));
    show("mount", call(Call::mount, "none", "/tmp", "tmpfs", 0, nullptr));
    show("umount", call(Call::umount2, "/tmp", 0));
    show("reboot", call(Call::reboot, 0xfee1dead, 672274793, 0, nullptr));
    return 0;
  });
  Status status{};
  show("stat of what it made", call(Call::stat, "/tmp/id/own", &status));
  show("its user", status.user);
  show("its group", status.group);
  call(Call::chmod, "/tmp/id/secret", 04755);
  call(Call::chown, "/tmp/id/secret", somebody, -1);
  call(Call::stat, "/tmp/id/secret", &status);
  show("chown takes the set-user-id bit", status.mode & 07777);
  for (const char* const path : {"/tmp/id/shut/inside", "/tmp/id/sticky/root", "/tmp/id/closed/root", "/tmp/id/own",
                                 "/tmp/id/root", "/tmp/id/secret", "/tmp/id/groups", "/tmp/id/fifo"}) {
    call(Call::unlink, path);
  }
  for (const char* const path : {"/tmp/id/shut", "/tmp/id/sticky", "/tmp/id/closed", "/tmp/id"}) {
    call(Call::rmdir, path);
  }
}

void signals() {
  begin_part("signals");
  static int parent;
  parent = static_cast<int>(call(Call::getpid));
  in_child([] {
    become(nobody, nobody);
    show("to its parent, who is root's", call(Call::kill, parent, signal::user1));
    show("none at all", call(Call::kill, parent, 0));
    show("SIGCONT in the session", call(Call::kill, parent, signal::resume));
    show("to init", call(Call::kill, 1, signal::terminate));
    show("to itself", call(Call::kill, call(Call::getpid), 0));
    show("by tgkill", call(Call::tgkill, parent, parent, signal::user1));
    show("priority of root's", call(Call::setpriority, 0, parent, 5));
    show("a lower priority", call(Call::setpriority, 0, 0, 5));
    show("a higher one again", call(Call::setpriority, 0, 0, 1));
    return 0;
  });
  static int child;
  child = static_cast<int>(start_child([] {
    become(somebody, somebody);
    for (;;) call(Call::pause);
    return 0;
  }));
  sleep_milliseconds(20);
  in_child([] {
    become(somebody, somebody);
    show("to one of its own", call(Call::kill, child, signal::terminate));
    return 0;
  });
  show("it ended", wait_for(child));
}

}  // namespace

int main_program(int, char**, char**) {
  changing();
  files();
  signals();
  return 0;
}
