// Calls on paths and directories.
#include <algorithm>
#include <cstring>

#include "kernel/core/scheduler.hpp"
#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/devices.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/pipe.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

constexpr i32 at_current_directory = -100;
constexpr u64 at_no_follow = 0x100, at_remove_directory = 0x200, at_empty_path = 0x1000;
constexpr u64 page_size = 4096;

Result<Ref<Node>> directory_of(Call& call, u64 descriptor) {
  if (static_cast<i32>(descriptor) == at_current_directory) return call.process().location->current;
  const auto file = call.process().files->get(descriptor);
  if (!file) return fail(file.error());
  if (!(*file)->node) return fail(Errno::NotDirectory);
  return (*file)->node;
}

/// What a path names, seen from a descriptor (or the current directory).
Result<Ref<Node>> node_at(Call& call, u64 descriptor, u64 path, LastLink last) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  const auto directory = directory_of(call, descriptor);
  if (!directory) return fail(directory.error());
  return resolve_from(*call.process().location, *directory, text->view(), last);
}

constexpr u64 here = static_cast<u64>(i64{at_current_directory});

Result<Ref<Node>> create(Call& call, const Ref<Node>& directory, std::string_view path, u32 mode) {
  constexpr int most_links = 40;
  const u32 permissions = mode & node_mode::permissions & ~call.process().location->creation_mask;
  Ref<Node> from = directory, link;
  for (int links = 0; links < most_links; ++links) {
    const auto place = resolve_place(*call.process().location, from, path);
    if (!place) return fail(place.error() == Errno::Exists ? Errno::IsDirectory : place.error());
    const auto there = place->directory->look_up(place->name);
    if (!there) {
      return place->directory->make(place->name, node_mode::regular | permissions, 0);
    }
    // A link to what is not there: the file is made where the link leads.
    from = place->directory;
    link = *there;
    path = link->target();
  }
  return fail(Errno::Loop);
}

/// For /proc/PID/fd: from the root, but otherwise as it was given.
std::vector<char> full_path(Call& call, const Ref<Node>& directory, std::string_view path) {
  std::vector<char> full;
  if (!path.starts_with('/')) {
    char buffer[512];
    const auto above = path_of(*call.process().location, directory, buffer);
    if (above) full.assign(above->begin(), above->end());
    if (full.empty() || full.back() != '/') full.push_back('/');
  }
  full.insert(full.end(), path.begin(), path.end());
  return full;
}

bool is_read_only(const Node& node) { return node.file_system() != nullptr && node.file_system()->read_only(); }

Result<Ref<File>> open_fifo_and_wait(Node& node, u32 flags) {
  auto file = open_fifo(node, flags);
  if (!file || (flags & open_flag::non_blocking) != 0) return file;
  const auto waited = wait_until(*(*file)->wait_queue(), [&] { return (*file)->is_connected(); });
  if (waited == WaitResult::Interrupted) return fail(Errno::RestartAlways);
  return file;
}

CallResult open_at(Call& call, u64 descriptor, u64 path, u32 flags, u32 mode) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  const auto directory = directory_of(call, descriptor);
  if (!directory) return fail(directory.error());
  const LastLink last = (flags & open_flag::no_follow) != 0 ? LastLink::Keep : LastLink::Follow;
  auto node = resolve_from(*call.process().location, *directory, text->view(), last);
  const bool may_create = (flags & open_flag::create) != 0;
  if (node && may_create && (flags & open_flag::exclusive) != 0) return fail(Errno::Exists);
  if (!node && node.error() == Errno::NoEntry && may_create) node = create(call, *directory, text->view(), mode);
  if (!node) return fail(node.error());
  const bool writes = (flags & open_flag::access_mode) != open_flag::read_only;
  if ((*node)->is(node_mode::link)) return fail(Errno::Loop);
  if ((*node)->is(node_mode::directory) && (writes || may_create)) return fail(Errno::IsDirectory);
  if ((flags & open_flag::directory) != 0 && !(*node)->is(node_mode::directory)) return fail(Errno::NotDirectory);
  if (writes && (*node)->is(node_mode::regular) && is_read_only(**node)) return fail(Errno::ReadOnly);
  const bool is_device = (*node)->is(node_mode::character) || (*node)->is(node_mode::block);
  auto file = is_device                      ? open_device(**node, flags)
              : (*node)->is(node_mode::fifo) ? open_fifo_and_wait(**node, flags)
                                             : (*node)->open(flags);
  if (!file) return fail(file.error());
  if ((flags & open_flag::truncate) != 0 && writes && (*node)->is(node_mode::regular)) {
    if (const auto cut = (*node)->set_size(0); !cut) return fail(cut.error());
  }
  (*file)->flags =
      flags & (open_flag::access_mode | open_flag::append | open_flag::non_blocking | open_flag::directory);
  (*file)->node = *node;
  (*file)->path = full_path(call, *directory, text->view());
  const auto on_exec = (flags & open_flag::close_on_exec) != 0 ? FileTable::OnExec::Close : FileTable::OnExec::Keep;
  const auto number = call.process().files->add(*file, on_exec);
  if (!number) return fail(number.error());
  return *number;
}

CallResult sys_open(Call& call) {
  return open_at(call, here, call.a, static_cast<u32>(call.b), static_cast<u32>(call.c));
}
CallResult sys_openat(Call& call) {
  return open_at(call, call.a, call.b, static_cast<u32>(call.c), static_cast<u32>(call.d));
}
CallResult sys_creat(Call& call) {
  return open_at(call, here, call.a, open_flag::create | open_flag::write_only | open_flag::truncate,
                 static_cast<u32>(call.b));
}

/// struct stat of x86-64 (asm/stat.h).
struct Status {
  u64 device, number, links;
  u32 mode, user, group, padding;
  u64 special_device;
  i64 size, block_size, blocks;
  u64 accessed, accessed_part, modified, modified_part, changed, changed_part;
  i64 unused[3];
};

Status status_of(const Node& node) {
  return {.device = node.file_system() != nullptr ? node.file_system()->number : 0,
          .number = node.number,
          .links = node.links,
          .mode = node.mode,
          .user = node.user,
          .group = node.group,
          .special_device = node.device,
          .size = static_cast<i64>(node.size),
          .block_size = page_size,
          .blocks = static_cast<i64>(node.sectors()),
          .accessed = node.accessed,
          .modified = node.modified,
          .changed = node.changed};
}

CallResult tell_status(Call&, const Result<Ref<Node>>& node, u64 into) {
  if (!node) return fail(node.error());
  return done(write_user(into, status_of(**node)));
}

CallResult status_of_file(Call& call, u64 descriptor, u64 into) {
  const auto file = call.process().files->get(descriptor);
  if (!file) return fail(file.error());
  if ((*file)->node) return done(write_user(into, status_of(*(*file)->node)));
  Status nameless{};
  nameless.mode = node_mode::fifo | 0600;
  nameless.links = 1;
  nameless.block_size = page_size;
  return done(write_user(into, nameless));
}

CallResult sys_stat(Call& call) { return tell_status(call, node_at(call, here, call.a, LastLink::Follow), call.b); }
CallResult sys_lstat(Call& call) { return tell_status(call, node_at(call, here, call.a, LastLink::Keep), call.b); }
CallResult sys_fstat(Call& call) { return status_of_file(call, call.a, call.b); }

CallResult sys_newfstatat(Call& call) {
  if ((call.d & at_empty_path) != 0) {
    const auto text = read_user_text(call.b);
    if (!text) return fail(text.error());
    if (text->length == 0 && static_cast<i32>(call.a) != at_current_directory)
      return status_of_file(call, call.a, call.c);
  }
  const LastLink last = (call.d & at_no_follow) != 0 ? LastLink::Keep : LastLink::Follow;
  return tell_status(call, node_at(call, call.a, call.b, last), call.c);
}

CallResult check_access(Call& call, u64 descriptor, u64 path, u64 wanted) {
  constexpr u64 execute = 1, write = 2, all = 7;
  if ((wanted & ~all) != 0) return fail(Errno::Invalid);
  const auto node = node_at(call, descriptor, path, LastLink::Follow);
  if (!node) return fail(node.error());
  // All programs are root's: only what nobody may execute is refused.
  const bool refused = (wanted & execute) != 0 && (*node)->is(node_mode::regular) && ((*node)->mode & 0111) == 0;
  if (refused) return fail(Errno::AccessDenied);
  const bool is_device = (*node)->is(node_mode::character) || (*node)->is(node_mode::block);
  if ((wanted & write) != 0 && !is_device && is_read_only(**node)) return fail(Errno::ReadOnly);
  return 0;
}
CallResult sys_access(Call& call) { return check_access(call, here, call.a, call.b); }
CallResult sys_faccessat(Call& call) { return check_access(call, call.a, call.b, call.c); }

CallResult make_directory(Call& call, u64 descriptor, u64 path, u64 mode) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  const auto directory = directory_of(call, descriptor);
  if (!directory) return fail(directory.error());
  const auto place = resolve_place(*call.process().location, *directory, text->view());
  if (!place) return fail(place.error());
  const u32 permissions = static_cast<u32>(mode) & node_mode::permissions & ~call.process().location->creation_mask;
  const auto made = place->directory->make(place->name, node_mode::directory | permissions, 0);
  if (!made) return fail(made.error());
  return 0;
}
CallResult sys_mkdir(Call& call) { return make_directory(call, here, call.a, call.b); }
CallResult sys_mkdirat(Call& call) { return make_directory(call, call.a, call.b, call.c); }

CallResult make_node(Call& call, u64 descriptor, u64 path, u64 mode, u64 device) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  const auto directory = directory_of(call, descriptor);
  if (!directory) return fail(directory.error());
  const auto place = resolve_place(*call.process().location, *directory, text->view());
  if (!place) return fail(place.error());
  const u32 wanted = static_cast<u32>(mode) & ~call.process().location->creation_mask;
  switch (wanted & node_mode::type) {
    case 0:
    case node_mode::regular:
    case node_mode::character:
    case node_mode::block:
    case node_mode::fifo:
    case node_mode::socket:
      break;
    case node_mode::directory:
      return fail(Errno::PermissionDenied);
    default:
      return fail(Errno::Invalid);
  }
  const auto made = place->directory->make(place->name, wanted & 0177777, static_cast<u32>(device));
  if (!made) return fail(made.error());
  return 0;
}
CallResult sys_mknod(Call& call) { return make_node(call, here, call.a, call.b, call.c); }
CallResult sys_mknodat(Call& call) { return make_node(call, call.a, call.b, call.c, call.d); }

/// What a file system is mounted on keeps its name.
bool is_mount_point(const Place& place) {
  const auto node = place.directory->look_up(place.name);
  return node && is_covered(*node);
}

CallResult remove_at(Call& call, u64 descriptor, u64 path, Node::Removal what) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  const auto directory = directory_of(call, descriptor);
  if (!directory) return fail(directory.error());
  const auto place = resolve_place(*call.process().location, *directory, text->view());
  if (!place) return fail(place.error() == Errno::Exists ? Errno::Invalid : place.error());
  if (is_mount_point(*place)) return fail(Errno::Busy);
  return done(place->directory->remove(place->name, what));
}
CallResult sys_unlink(Call& call) { return remove_at(call, here, call.a, Node::Removal::File); }
CallResult sys_rmdir(Call& call) { return remove_at(call, here, call.a, Node::Removal::Directory); }
CallResult sys_unlinkat(Call& call) {
  const bool directory = (call.c & at_remove_directory) != 0;
  return remove_at(call, call.a, call.b, directory ? Node::Removal::Directory : Node::Removal::File);
}

CallResult rename_at(Call& call, u64 from_descriptor, u64 from, u64 to_descriptor, u64 to) {
  const auto old_text = read_user_text(from);
  if (!old_text) return fail(old_text.error());
  const auto new_text = read_user_text(to);
  if (!new_text) return fail(new_text.error());
  const auto old_directory = directory_of(call, from_descriptor);
  const auto new_directory = directory_of(call, to_descriptor);
  if (!old_directory || !new_directory) return fail(Errno::BadFile);
  const Location& location = *call.process().location;
  const auto old_place = resolve_place(location, *old_directory, old_text->view());
  if (!old_place) return fail(old_place.error() == Errno::Exists ? Errno::Busy : old_place.error());
  const auto new_place = resolve_place(location, *new_directory, new_text->view());
  if (!new_place) return fail(new_place.error() == Errno::Exists ? Errno::Busy : new_place.error());
  if (old_place->directory->file_system() != new_place->directory->file_system()) return fail(Errno::CrossDevice);
  if (is_mount_point(*old_place) || is_mount_point(*new_place)) return fail(Errno::Busy);
  return done(old_place->directory->rename(old_place->name, *new_place->directory, new_place->name));
}
CallResult sys_rename(Call& call) { return rename_at(call, here, call.a, here, call.b); }
CallResult sys_renameat(Call& call) { return rename_at(call, call.a, call.b, call.c, call.d); }

CallResult read_link(Call& call, u64 descriptor, u64 path, u64 into, u64 size) {
  if (size == 0) return fail(Errno::Invalid);
  const auto node = node_at(call, descriptor, path, LastLink::Keep);
  if (!node) return fail(node.error());
  if (!(*node)->is(node_mode::link)) return fail(Errno::Invalid);
  const std::string_view target = (*node)->target();
  const u64 count = std::min<u64>(size, target.size());
  if (const auto copied = copy_to_user(into, target.data(), count); !copied) return fail(copied.error());
  return count;
}
CallResult sys_readlink(Call& call) { return read_link(call, here, call.a, call.b, call.c); }
CallResult sys_readlinkat(Call& call) { return read_link(call, call.a, call.b, call.c, call.d); }

CallResult sys_symlink(Call& call) {
  const auto target = read_user_text(call.a);
  if (!target) return fail(target.error());
  const auto text = read_user_text(call.b);
  if (!text) return fail(text.error());
  if (target->length == 0) return fail(Errno::NoEntry);
  const auto place = resolve_place(*call.process().location, call.process().location->current, text->view());
  if (!place) return fail(place.error());
  const auto made = place->directory->make_link(place->name, target->view());
  if (!made) return fail(made.error());
  return 0;
}

CallResult sys_link(Call& call) {
  const auto node = node_at(call, here, call.a, LastLink::Keep);
  if (!node) return fail(node.error());
  if ((*node)->is(node_mode::directory)) return fail(Errno::PermissionDenied);
  const auto text = read_user_text(call.b);
  if (!text) return fail(text.error());
  const auto place = resolve_place(*call.process().location, call.process().location->current, text->view());
  if (!place) return fail(place.error());
  if ((*node)->file_system() != place->directory->file_system()) return fail(Errno::CrossDevice);
  return done(place->directory->add(place->name, *node));
}

CallResult go_to(Call& call, const Result<Ref<Node>>& node) {
  if (!node) return fail(node.error());
  if (!(*node)->is(node_mode::directory)) return fail(Errno::NotDirectory);
  call.process().location->current = *node;
  return 0;
}
CallResult sys_chdir(Call& call) { return go_to(call, node_at(call, here, call.a, LastLink::Follow)); }
CallResult sys_fchdir(Call& call) { return go_to(call, directory_of(call, call.a)); }

CallResult sys_getcwd(Call& call) {
  const auto buffer = std::make_unique<char[]>(path_limit);
  const auto path = path_of(*call.process().location, call.process().location->current, {buffer.get(), path_limit});
  if (!path) return fail(path.error());
  if (call.b < path->size() + 1) return fail(Errno::OutOfRange);
  if (const auto copied = copy_to_user(call.a, path->data(), path->size()); !copied) return fail(copied.error());
  if (const auto ended = write_user(call.a + path->size(), char{0}); !ended) return fail(ended.error());
  return path->size() + 1;
}

/// struct linux_dirent64: number, next place, length, type, name.
CallResult sys_getdents64(Call& call) {
  constexpr std::size_t header = 19, alignment = 8, most = 280;
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (!(*file)->node || !(*file)->node->is(node_mode::directory)) return fail(Errno::NotDirectory);
  Node& node = *(*file)->node;
  if (node.links == 0) return fail(Errno::NoEntry);  // it was removed
  u64 written = 0;
  const Mutex::Hold hold((*file)->position);
  for (;;) {
    // Places 0 and 1 are "." and "..".
    u64& place = (*file)->offset;
    Result<Node::Entry> entry = place == 0   ? Node::Entry{".", node.number, node_mode::directory}
                                : place == 1 ? Node::Entry{"..", node.number, node_mode::directory}
                                             : node.entry(place - 2);
    if (!entry) return entry.error() == Errno::NoEntry ? CallResult(written) : fail(entry.error());
    const std::size_t length = (header + entry->name.size() + 1 + alignment - 1) / alignment * alignment;
    if (length > most) return fail(Errno::NameTooLong);
    if (written + length > call.c) return written > 0 ? CallResult(written) : fail(Errno::Invalid);
    u8 record[most] = {};
    const u64 next = entry->next != 0 ? entry->next + 2 : place + 1;
    const auto short_length = static_cast<u16>(length);
    std::memcpy(record, &entry->number, 8);
    std::memcpy(record + 8, &next, 8);
    std::memcpy(record + 16, &short_length, 2);
    record[18] = static_cast<u8>(entry->mode >> 12 & 15);
    std::memcpy(record + header, entry->name.data(), entry->name.size());
    if (const auto copied = copy_to_user(call.b + written, record, length); !copied) return fail(copied.error());
    written += length;
    place = next;
  }
}

CallResult sys_umask(Call& call) {
  Location& location = *call.process().location;
  const u32 before = location.creation_mask;
  location.creation_mask = static_cast<u32>(call.a) & 0777;
  return before;
}

CallResult change_mode(const Result<Ref<Node>>& node, u64 mode) {
  if (!node) return fail(node.error());
  if (is_read_only(**node)) return fail(Errno::ReadOnly);
  (*node)->mode = ((*node)->mode & node_mode::type) | (static_cast<u32>(mode) & node_mode::permissions);
  return done((*node)->attributes_changed());
}
CallResult sys_chmod(Call& call) { return change_mode(node_at(call, here, call.a, LastLink::Follow), call.b); }
CallResult sys_fchmod(Call& call) { return change_mode(directory_of(call, call.a), call.b); }
CallResult sys_fchmodat(Call& call) { return change_mode(node_at(call, call.a, call.b, LastLink::Follow), call.c); }

CallResult change_owner(const Result<Ref<Node>>& node, u64 user, u64 group) {
  constexpr u32 keep = ~u32{0};
  if (!node) return fail(node.error());
  if (is_read_only(**node)) return fail(Errno::ReadOnly);
  if (static_cast<u32>(user) != keep) (*node)->user = static_cast<u32>(user);
  if (static_cast<u32>(group) != keep) (*node)->group = static_cast<u32>(group);
  return done((*node)->attributes_changed());
}
CallResult sys_chown(Call& call) { return change_owner(node_at(call, here, call.a, LastLink::Follow), call.b, call.c); }
CallResult sys_lchown(Call& call) { return change_owner(node_at(call, here, call.a, LastLink::Keep), call.b, call.c); }
CallResult sys_fchown(Call& call) { return change_owner(directory_of(call, call.a), call.b, call.c); }

CallResult sys_utimensat(Call& call) {
  const auto node = call.b == 0 ? directory_of(call, call.a) : node_at(call, call.a, call.b, LastLink::Follow);
  if (!node) return fail(node.error());
  if (is_read_only(**node)) return fail(Errno::ReadOnly);
  constexpr i64 now = 0x3FFF'FFFF, omit = 0x3FFF'FFFE;
  struct Time {
    i64 seconds, nanoseconds;
  };
  Time times[2] = {{0, now}, {0, now}};
  if (call.c != 0) {
    const auto given = copy_from_user(times, call.c, sizeof times);
    if (!given) return fail(given.error());
  }
  u64* const fields[] = {&(*node)->accessed, &(*node)->modified};
  for (std::size_t i = 0; i < 2; ++i) {
    if (times[i].nanoseconds == omit) continue;
    *fields[i] = times[i].nanoseconds == now ? wall_seconds() : static_cast<u64>(times[i].seconds);
  }
  return done((*node)->attributes_changed());
}

CallResult sys_truncate(Call& call) {
  const auto node = node_at(call, here, call.a, LastLink::Follow);
  if (!node) return fail(node.error());
  if ((*node)->is(node_mode::directory)) return fail(Errno::IsDirectory);
  if (static_cast<i64>(call.b) < 0) return fail(Errno::Invalid);
  return done((*node)->set_size(call.b));
}

constexpr CallEntry entries[] = {
    {2, "open", sys_open},
    {4, "stat", sys_stat},
    {5, "fstat", sys_fstat},
    {6, "lstat", sys_lstat},
    {21, "access", sys_access},
    {76, "truncate", sys_truncate},
    {79, "getcwd", sys_getcwd},
    {80, "chdir", sys_chdir},
    {81, "fchdir", sys_fchdir},
    {82, "rename", sys_rename},
    {83, "mkdir", sys_mkdir},
    {84, "rmdir", sys_rmdir},
    {85, "creat", sys_creat},
    {86, "link", sys_link},
    {87, "unlink", sys_unlink},
    {88, "symlink", sys_symlink},
    {89, "readlink", sys_readlink},
    {90, "chmod", sys_chmod},
    {91, "fchmod", sys_fchmod},
    {92, "chown", sys_chown},
    {93, "fchown", sys_fchown},
    {94, "lchown", sys_lchown},
    {95, "umask", sys_umask},
    {133, "mknod", sys_mknod},
    {217, "getdents64", sys_getdents64},
    {257, "openat", sys_openat},
    {258, "mkdirat", sys_mkdirat},
    {259, "mknodat", sys_mknodat},
    {262, "newfstatat", sys_newfstatat},
    {263, "unlinkat", sys_unlinkat},
    {264, "renameat", sys_renameat},
    {267, "readlinkat", sys_readlinkat},
    {268, "fchmodat", sys_fchmodat},
    {269, "faccessat", sys_faccessat},
    {280, "utimensat", sys_utimensat},
    {316, "renameat2", sys_renameat},
    {439, "faccessat2", sys_faccessat},
};

}  // namespace

std::span<const CallEntry> path_calls() { return entries; }

}  // namespace pulse
