// Calls on names: open, and what makes, moves and removes them.
#include <algorithm>

#include "kernel/core/scheduler.hpp"
#include "kernel/core/user_memory.hpp"
#include "kernel/fs/devices.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/fs/pipe.hpp"
#include "kernel/syscalls/path_arguments.hpp"

namespace pulse {

namespace {

/// A new node in the caller's name.
Result<Ref<Node>> make_in(const Place& place, u32 mode, u32 device) {
  if (const auto allowed = check_adding(*place.directory, place.name); !allowed) return fail(allowed.error());
  auto made = place.directory->make(place.name, mode, device);
  if (!made) return made;
  if (const auto given = give_owner(*place.directory, **made); !given) return fail(given.error());
  return made;
}

Result<Ref<Node>> create(Call& call, const Ref<Node>& directory, std::string_view path, u32 mode) {
  constexpr int most_links = 40;
  const u32 permissions = mode & node_mode::permissions & ~call.process().location->creation_mask;
  Ref<Node> from = directory, link;
  for (int links = 0; links < most_links; ++links) {
    const auto place = resolve_place(*call.process().location, from, path);
    if (!place) return fail(place.error() == Errno::Exists ? Errno::IsDirectory : place.error());
    const auto there = place->directory->look_up(place->name);
    if (!there) return make_in(*place, node_mode::regular | permissions, 0);
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
  const bool is_there = node.has_value();
  if (node && may_create && (flags & open_flag::exclusive) != 0) return fail(Errno::Exists);
  if (!node && node.error() == Errno::NoEntry && may_create) node = create(call, *directory, text->view(), mode);
  if (!node) return fail(node.error());
  const bool writes = (flags & open_flag::access_mode) != open_flag::read_only;
  if ((*node)->is(node_mode::link)) return fail(Errno::Loop);
  if ((*node)->is(node_mode::directory) && (writes || may_create)) return fail(Errno::IsDirectory);
  if ((flags & open_flag::directory) != 0 && !(*node)->is(node_mode::directory)) return fail(Errno::NotDirectory);
  if (writes && (*node)->is(node_mode::regular) && is_read_only(**node)) return fail(Errno::ReadOnly);
  const u32 access = flags & open_flag::access_mode;
  const u32 wanted = (access != open_flag::write_only ? permission::read : 0) |
                     (writes || (flags & open_flag::truncate) != 0 ? permission::write : 0);
  if (is_there && !is_allowed(**node, wanted)) return fail(Errno::AccessDenied);
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

CallResult make_directory(Call& call, u64 descriptor, u64 path, u64 mode) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  const auto directory = directory_of(call, descriptor);
  if (!directory) return fail(directory.error());
  const auto place = resolve_place(*call.process().location, *directory, text->view());
  if (!place) return fail(place.error());
  const u32 permissions = static_cast<u32>(mode) & node_mode::permissions & ~call.process().location->creation_mask;
  const auto made = make_in(*place, node_mode::directory | permissions, 0);
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
    case node_mode::fifo:
    case node_mode::socket:
      break;
    case node_mode::character:
    case node_mode::block:
      if (const auto allowed = check_root(); !allowed) return fail(allowed.error());
      break;
    case node_mode::directory:
      return fail(Errno::PermissionDenied);
    default:
      return fail(Errno::Invalid);
  }
  const auto made = make_in(*place, wanted & 0177777, static_cast<u32>(device));
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
  if (const auto allowed = check_removing(*place->directory, place->name); !allowed) return fail(allowed.error());
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
  for (const auto& allowed :
       {check_removing(*old_place->directory, old_place->name), check_removing(*new_place->directory, new_place->name),
        check_adding(*new_place->directory, new_place->name)}) {
    if (!allowed) return fail(allowed.error());
  }
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
  if (const auto allowed = check_adding(*place->directory, place->name); !allowed) return fail(allowed.error());
  const auto made = place->directory->make_link(place->name, target->view());
  if (!made) return fail(made.error());
  return done(give_owner(*place->directory, **made));
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
  if (const auto allowed = check_adding(*place->directory, place->name); !allowed) return fail(allowed.error());
  return done(place->directory->add(place->name, *node));
}

constexpr CallEntry entries[] = {
    {2, "open", sys_open},
    {82, "rename", sys_rename},
    {83, "mkdir", sys_mkdir},
    {84, "rmdir", sys_rmdir},
    {85, "creat", sys_creat},
    {86, "link", sys_link},
    {87, "unlink", sys_unlink},
    {88, "symlink", sys_symlink},
    {89, "readlink", sys_readlink},
    {133, "mknod", sys_mknod},
    {257, "openat", sys_openat},
    {258, "mkdirat", sys_mkdirat},
    {259, "mknodat", sys_mknodat},
    {263, "unlinkat", sys_unlinkat},
    {264, "renameat", sys_renameat},
    {267, "readlinkat", sys_readlinkat},
    {316, "renameat2", sys_renameat},
};

}  // namespace

std::span<const CallEntry> path_calls() { return entries; }

}  // namespace pulse
