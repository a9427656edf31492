// Files, directories, links and descriptors.
#include "user/runtime/program.hpp"

using namespace user;

namespace {

constexpr u64 here = static_cast<u64>(i64{at_current});
char bytes[8192];

i64 open_file(const char* path, int flags, u32 mode = 0644) { return call(Call::open, path, flags, mode); }
i64 write_text(i64 file, std::string_view text) { return call(Call::write, file, text.data(), text.size()); }

void show_contents(std::string_view what, const char* path) {
  const i64 file = open_file(path, 0);
  if (file < 0) return show(what, file);
  const i64 count = call(Call::read, file, bytes, 64);
  call(Call::close, file);
  if (count < 0) return show(what, count);
  for (i64 i = 0; i < count; ++i) {
    if (bytes[i] == '\n') bytes[i] = '$';
    if (bytes[i] == 0) bytes[i] = '.';
  }
  show(what, {bytes, static_cast<u64>(count)});
}

void show_status(std::string_view what, const char* path) {
  Status status{};
  const i64 result = call(Call::lstat, path, &status);
  if (result < 0) return show(what, result);
  show(what, static_cast<i64>(status.mode));
  show("  links", static_cast<i64>(status.links));
  if ((status.mode & 0170000) != 0040000) show("  size", status.size);
}

void opening() {
  begin_part("open");
  show("no such file", open_file("/tmp/none", 0));
  show("no such directory", open_file("/tmp/none/file", open_flag::create | 1));
  const i64 file = open_file("/tmp/f", open_flag::create | open_flag::read_write | open_flag::exclusive, 0666);
  show("create", file);
  show("exclusive again", open_file("/tmp/f", open_flag::create | open_flag::exclusive));
  show("as a directory", open_file("/tmp/f", open_flag::directory));
  show("below a file", open_file("/tmp/f/x", 0));
  show("a directory for writing", open_file("/tmp", open_flag::write_only));
  show("a directory, create", open_file("/tmp", open_flag::create));
  show("an empty path", open_file("", 0));
  show("trailing slash", open_file("/tmp/f/", 0));
  show("dots", open_file("/tmp/./../tmp/f", 0));
  show_status("mode by umask", "/tmp/f");
  show("write", write_text(file, "hello\n"));
  show("read at the end", call(Call::read, file, bytes, 10));
  const i64 reader = open_file("/tmp/f", 0);
  show("write to a reader", write_text(reader, "x"));
  const i64 writer = open_file("/tmp/f", open_flag::write_only);
  show("read from a writer", call(Call::read, writer, bytes, 1));
  show("read a directory", call(Call::read, open_file("/tmp", 0), bytes, 1));
  for (i64 descriptor = 3; descriptor < 10; ++descriptor) call(Call::close, descriptor);
  show("close twice", call(Call::close, file));
  char long_name[300];
  for (char& byte : long_name) byte = 'n';
  long_name[0] = '/';
  long_name[299] = 0;
  show("a name of 298 bytes", open_file(long_name, open_flag::create));
  static char long_path[5000];
  for (char& byte : long_path) byte = '/';
  long_path[4999] = 0;
  show("a path of 4999 bytes", open_file(long_path, 0));
}

void positions() {
  begin_part("position");
  const i64 file = open_file("/tmp/p", open_flag::create | open_flag::read_write | open_flag::truncate);
  write_text(file, "0123456789");
  show("set 3", call(Call::lseek, file, 3, 0));
  show("current -1", call(Call::lseek, file, -1, 1));
  show("end -4", call(Call::lseek, file, -4, 2));
  show("before the begin", call(Call::lseek, file, -1, 0));
  show("whence 9", call(Call::lseek, file, 0, 9));
  show("pread at 8", call(Call::pread64, file, bytes, 10, 8));
  show("pread behind the end", call(Call::pread64, file, bytes, 10, 80));
  show("pread at -1", call(Call::pread64, file, bytes, 10, -1));
  show("still at", call(Call::lseek, file, 0, 1));
  show("beyond the end", call(Call::lseek, file, 20, 0));
  show("write there", write_text(file, "x"));
  show_contents("the hole reads as zeroes", "/tmp/p");
  show("cut", call(Call::ftruncate, file, 4));
  show_contents("cut to 4", "/tmp/p");
  show("grow", call(Call::ftruncate, file, 6));
  show_contents("grown to 6", "/tmp/p");
  show("cut to -1", call(Call::ftruncate, file, -1));
  const i64 end = open_file("/tmp/p", open_flag::append | open_flag::write_only);
  call(Call::lseek, end, 0, 0);
  write_text(end, "end");
  show_contents("append", "/tmp/p");
  const Piece pieces[] = {{"one ", 4}, {"", 0}, {"two", 3}};
  show("writev", call(Call::writev, end, pieces, 3));
  show("writev of 0 pieces", call(Call::writev, end, pieces, 0));
  show("writev of -1 pieces", call(Call::writev, end, pieces, -1));
  show("writev of 1025 pieces", call(Call::writev, end, pieces, 1025));
  char first[3], second_part[100];
  call(Call::lseek, file, 0, 0);
  const Piece into[] = {{first, sizeof first}, {second_part, sizeof second_part}};
  show("readv", call(Call::readv, file, into, 2));
  int ends[2];
  call(Call::pipe2, ends, 0);
  show("seek in a pipe", call(Call::lseek, ends[0], 0, 0));
  show("pread of a pipe", call(Call::pread64, ends[0], bytes, 1, 0));
  show("cut a pipe", call(Call::ftruncate, ends[1], 0));
  i64 offset = 2;
  show("sendfile", call(Call::sendfile, ends[1], file, &offset, 5));
  show("its offset", offset);
  show("what came", call(Call::read, ends[0], bytes, 100));
  show("cut a reader", call(Call::ftruncate, open_file("/tmp/p", 0), 0));
  for (i64 descriptor = 3; descriptor < 12; ++descriptor) call(Call::close, descriptor);
}

void directories() {
  begin_part("directory");
  show("mkdir", call(Call::mkdir, "/tmp/d", 0777));
  show("again", call(Call::mkdir, "/tmp/d", 0777));
  show("below nothing", call(Call::mkdir, "/tmp/none/d", 0777));
  show_status("status", "/tmp/d");
  call(Call::close, open_file("/tmp/d/a", open_flag::create));
  call(Call::close, open_file("/tmp/d/b", open_flag::create));
  show("rmdir, not empty", call(Call::rmdir, "/tmp/d"));
  show("unlink of a directory", call(Call::unlink, "/tmp/d"));
  show("rmdir of a file", call(Call::rmdir, "/tmp/d/a"));
  show("rmdir of .", call(Call::rmdir, "/tmp/d/."));
  const i64 directory = open_file("/tmp/d", open_flag::directory);
  i64 names = 0;
  for (;;) {
    const i64 count = call(Call::getdents64, directory, bytes, sizeof bytes);
    if (count <= 0) break;
    for (i64 at = 0; at < count; at += *reinterpret_cast<u16*>(bytes + at + 16)) ++names;
  }
  show("entries", names);
  show("getdents into 8 bytes", (call(Call::lseek, directory, 0, 0), call(Call::getdents64, directory, bytes, 8)));
  show("openat", call(Call::openat, directory, "a", 0));
  show("openat by a file", call(Call::openat, 4, "a", 0));
  show("chdir", call(Call::chdir, "/tmp/d"));
  show("getcwd", call(Call::getcwd, bytes, sizeof bytes));
  show("  ", std::string_view(bytes));
  show("getcwd into 3 bytes", call(Call::getcwd, bytes, 3));
  show("relative", call(Call::access, "a", 0));
  show("chdir to a file", call(Call::chdir, "a"));
  show("chdir up", call(Call::chdir, ".."));
  show("rename to another name", call(Call::rename, "d/a", "d/c"));
  show("rename over a file", call(Call::rename, "d/c", "d/b"));
  show("rename of nothing", call(Call::rename, "d/a", "d/c"));
  show("rename a file over a directory", call(Call::rename, "d/b", "d"));
  show("rename a directory into itself", call(Call::rename, "d", "d/e"));
  show("rename a directory over a file", (call(Call::mkdir, "e", 0777), call(Call::rename, "e", "d/b")));
  show("rename a directory over an empty one", (call(Call::mkdir, "g", 0777), call(Call::rename, "e", "g")));
  show("rename a directory over a full one", call(Call::rename, "g", "d"));
  show("unlinkat a directory", call(Call::unlinkat, here, "g", 0));
  show("unlinkat a directory as one", call(Call::unlinkat, here, "g", 0x200));
  show("unlink", call(Call::unlink, "d/b"));
  show("rmdir", call(Call::rmdir, "d"));
  show("create in a directory that is gone", call(Call::openat, directory, "x", open_flag::create));
  call(Call::chdir, "/");
  for (i64 descriptor = 3; descriptor < 8; ++descriptor) call(Call::close, descriptor);
}

void removed_directories() {
  begin_part("removed directory");
  call(Call::mkdir, "/tmp/a", 0777);
  call(Call::mkdir, "/tmp/a/b", 0777);
  const i64 file = open_file("/tmp/f", open_flag::create | open_flag::write_only);
  call(Call::close, file);
  call(Call::chdir, "/tmp/a/b");
  show("rmdir of here", call(Call::rmdir, "/tmp/a/b"));
  show("rmdir above", call(Call::rmdir, "/tmp/a"));
  Status status{};
  show("stat of ..", call(Call::stat, "..", &status));
  show("its links", static_cast<i64>(status.links));
  show("stat of ../..", call(Call::stat, "../..", &status));
  show("access to ../../f", call(Call::access, "../../f", 0));
  show("getcwd", call(Call::getcwd, bytes, sizeof bytes));
  show("mkdir in ..", call(Call::mkdir, "../c", 0777));
  show("rename to here", call(Call::rename, "/tmp/f", "g"));
  show("rename to ..", call(Call::rename, "/tmp/f", "../g"));
  const i64 above = open_file("..", open_flag::directory);
  show("open ..", above >= 0);
  show("its names", call(Call::getdents64, above, bytes, sizeof bytes));
  call(Call::close, above);
  call(Call::chdir, "/");
  call(Call::unlink, "/tmp/f");
}

void links() {
  begin_part("link");
  const i64 file = open_file("/tmp/one", open_flag::create | open_flag::read_write);
  write_text(file, "one");
  show("link", call(Call::link, "/tmp/one", "/tmp/two"));
  show("over a file", call(Call::link, "/tmp/one", "/tmp/two"));
  show("of a directory", call(Call::link, "/tmp", "/tmp/three"));
  show_status("status", "/tmp/two");
  show("unlink", call(Call::unlink, "/tmp/one"));
  show_contents("the other", "/tmp/two");
  show("unlink the other", call(Call::unlink, "/tmp/two"));
  show("write, unlinked", write_text(file, "+"));
  Status status{};
  call(Call::fstat, file, &status);
  show("links, unlinked", static_cast<i64>(status.links));
  show("size, unlinked", status.size);
  show("symlink", call(Call::symlink, "target", "/tmp/s"));
  show("readlink", call(Call::readlink, "/tmp/s", bytes, 100));
  show("readlink into 3 bytes", call(Call::readlink, "/tmp/s", bytes, 3));
  show("readlink into 0 bytes", call(Call::readlink, "/tmp/s", bytes, 0));
  show("readlink of a directory", call(Call::readlink, "/tmp", bytes, 100));
  show_status("lstat", "/tmp/s");
  show("stat", call(Call::stat, "/tmp/s", &status));
  show("open, dangling", open_file("/tmp/s", 0));
  show("create through it", open_file("/tmp/s", open_flag::create | open_flag::write_only));
  show("the target is there", call(Call::access, "/tmp/target", 0));
  show("exclusive through it", open_file("/tmp/s", open_flag::create | open_flag::exclusive));
  show("no follow", open_file("/tmp/s", open_flag::no_follow));
  call(Call::symlink, "loop2", "/tmp/loop1");
  call(Call::symlink, "loop1", "/tmp/loop2");
  show("a loop", open_file("/tmp/loop1", 0));
  show("symlink over a link", call(Call::symlink, "x", "/tmp/s"));
  show("symlink to nothing", call(Call::symlink, "", "/tmp/empty"));
  show("unlink a link", call(Call::unlink, "/tmp/s"));
  show("its target stays", call(Call::access, "/tmp/target", 0));
  call(Call::chmod, "/tmp/target", 0);
  show("chmod", call(Call::access, "/tmp/target", 0));
  show("may root execute it", call(Call::access, "/tmp/target", 1));
  show("access mode 8", call(Call::access, "/tmp/target", 8));
  for (i64 descriptor = 3; descriptor < 8; ++descriptor) call(Call::close, descriptor);
  for (const char* name : {"/tmp/loop1", "/tmp/loop2", "/tmp/target", "/tmp/f", "/tmp/p"}) call(Call::unlink, name);
}

void descriptors() {
  begin_part("descriptor");
  const i64 file = open_file("/tmp/q", open_flag::create | open_flag::read_write | open_flag::close_on_exec);
  show("lowest number", file);
  show("dup", call(Call::dup, file));
  show("dup2 to 20", call(Call::dup2, file, 20));
  show("dup2 to itself", call(Call::dup2, file, file));
  show("dup2 of nothing", call(Call::dup2, 99, 5));
  show("dup2 of nothing to itself", call(Call::dup2, 99, 99));
  show("dup2 to -1", call(Call::dup2, file, -1));
  show("dup2 to 1000000", call(Call::dup2, file, 1000000));
  show("dup3 to itself", call(Call::dup3, file, file, 0));
  show("dup3 with flags", call(Call::dup3, file, 21, 1));
  show("dup3 closing", call(Call::dup3, file, 21, open_flag::close_on_exec));
  show("close-on-exec of the first", call(Call::fcntl, file, control::get_descriptor_flags));
  show("of the dup", call(Call::fcntl, 20, control::get_descriptor_flags));
  show("of dup3", call(Call::fcntl, 21, control::get_descriptor_flags));
  show("duplicate from 30", call(Call::fcntl, file, control::duplicate, 30));
  show("duplicate, closing", call(Call::fcntl, file, control::duplicate_close_on_exec, 30));
  show("duplicate from -1", call(Call::fcntl, file, control::duplicate, -1));
  show("duplicate from 1000000", call(Call::fcntl, file, control::duplicate, 1000000));
  show("fcntl 77", call(Call::fcntl, file, 77, 0));
  call(Call::fcntl, file, control::set_flags, open_flag::append | open_flag::non_blocking);
  show("flags are those of the file", call(Call::fcntl, 20, control::get_flags) & 06003);
  write_text(file, "12345");
  show("so is the position", call(Call::lseek, 20, 0, 1));
  constexpr i64 high = i64{1} << 32;
  show("the high half of a descriptor", call(Call::lseek, high + 20, 0, 1));
  show("of dup2's", call(Call::dup2, high + file, high + 22));
  show("closed so", call(Call::close, high + 22));
  show("umask", call(Call::umask, 077));
  show("umask before", call(Call::umask, 022));
  i64 opened = 0;
  while (call(Call::dup, file) >= 0) ++opened;
  show("as many as there may be", opened + 8);
  show("one more", call(Call::dup, file));
  int ends[2];
  show("pipe with none left", call(Call::pipe2, ends, 0));
  call(Call::close, 100);
  show("pipe with one left", call(Call::pipe2, ends, 0));
  show("open takes the hole", open_file("/tmp/q", 0));
  call(Call::unlink, "/tmp/q");
}

}  // namespace

int main_program(int, char**, char**) {
  call(Call::umask, 022);
  opening();
  positions();
  directories();
  removed_directories();
  links();
  descriptors();
  return 0;
}
