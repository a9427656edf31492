// What is known of a file: its status, who may use it, its owner and times, its size.
#include <algorithm>

#include "kernel/core/time.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/syscalls/file_room.hpp"
#include "kernel/syscalls/path_arguments.hpp"

namespace pulse {

namespace {

constexpr u64 page_size = 4096;

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
  constexpr u64 write = 2, all = 7;
  if ((wanted & ~all) != 0) return fail(Errno::Invalid);
  const auto node = node_at(call, descriptor, path, LastLink::Follow);
  if (!node) return fail(node.error());
  Credentials who = call.process().credentials;
  who.user.effective = who.user.real;
  who.group.effective = who.group.real;
  if (!may(who, ownership_of(**node), static_cast<u32>(wanted), (*node)->is(node_mode::directory)))
    return fail(Errno::AccessDenied);
  const bool is_device = (*node)->is(node_mode::character) || (*node)->is(node_mode::block);
  if ((wanted & write) != 0 && !is_device && is_read_only(**node)) return fail(Errno::ReadOnly);
  return 0;
}
CallResult sys_access(Call& call) { return check_access(call, here, call.a, call.b); }
CallResult sys_faccessat(Call& call) { return check_access(call, call.a, call.b, call.c); }

constexpr u32 set_user_bit = 04000, set_group_bit = 02000, group_execute_bit = 010;

CallResult change_mode(const Result<Ref<Node>>& node, u64 mode) {
  if (!node) return fail(node.error());
  if (is_read_only(**node)) return fail(Errno::ReadOnly);
  if (!is_owner(**node)) return fail(Errno::PermissionDenied);
  u32 permissions = static_cast<u32>(mode) & node_mode::permissions;
  const Credentials& who = current_process().credentials;
  if (!who.is_root() && !who.is_in_group((*node)->group)) permissions &= ~set_group_bit;
  (*node)->mode = ((*node)->mode & node_mode::type) | permissions;
  return done((*node)->attributes_changed());
}
CallResult sys_chmod(Call& call) { return change_mode(node_at(call, here, call.a, LastLink::Follow), call.b); }
CallResult sys_fchmod(Call& call) { return change_mode(directory_of(call, call.a), call.b); }
CallResult sys_fchmodat(Call& call) { return change_mode(node_at(call, call.a, call.b, LastLink::Follow), call.c); }

CallResult change_owner(const Result<Ref<Node>>& node, u64 user, u64 group) {
  constexpr u32 keep = ~u32{0};
  if (!node) return fail(node.error());
  if (is_read_only(**node)) return fail(Errno::ReadOnly);
  const Credentials& who = current_process().credentials;
  const bool user_is_allowed =
      static_cast<u32>(user) == keep || (is_owner(**node) && static_cast<u32>(user) == (*node)->user);
  const bool group_is_allowed =
      static_cast<u32>(group) == keep || (is_owner(**node) && who.is_in_group(static_cast<u32>(group)));
  if (!who.is_root() && !(user_is_allowed && group_is_allowed)) return fail(Errno::PermissionDenied);
  // Programs that run for their owner don't run for the next one (chown(2)).
  const bool group_executes = ((*node)->mode & group_execute_bit) != 0;
  if (!(*node)->is(node_mode::directory)) (*node)->mode &= ~(set_user_bit | (group_executes ? set_group_bit : 0));
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
  const bool are_now = times[0].nanoseconds == now && times[1].nanoseconds == now;
  if (!is_owner(**node) && !(are_now && is_allowed(**node, permission::write)))
    return fail(are_now ? Errno::AccessDenied : Errno::PermissionDenied);
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
  if (!is_allowed(**node, permission::write)) return fail(Errno::AccessDenied);
  if (const auto room = check_file_size(**node, call.b); !room) return fail(room.error());
  return done((*node)->set_size(call.b));
}

constexpr CallEntry entries[] = {
    {4, "stat", sys_stat},
    {5, "fstat", sys_fstat},
    {6, "lstat", sys_lstat},
    {21, "access", sys_access},
    {76, "truncate", sys_truncate},
    {90, "chmod", sys_chmod},
    {91, "fchmod", sys_fchmod},
    {92, "chown", sys_chown},
    {93, "fchown", sys_fchown},
    {94, "lchown", sys_lchown},
    {262, "newfstatat", sys_newfstatat},
    {268, "fchmodat", sys_fchmodat},
    {269, "faccessat", sys_faccessat},
    {280, "utimensat", sys_utimensat},
    {439, "faccessat2", sys_faccessat},
};

}  // namespace

std::span<const CallEntry> status_calls() { return entries; }

}  // namespace pulse
