// Calls on whole file systems: mount, umount2, statfs, sync.
#include <algorithm>

#include "kernel/core/user_memory.hpp"
#include "kernel/fs/block_file.hpp"
#include "kernel/fs/ext2/ext2.hpp"
#include "kernel/fs/path.hpp"
#include "kernel/fs/permissions.hpp"
#include "kernel/fs/procfs.hpp"
#include "kernel/fs/tmpfs.hpp"
#include "kernel/memory/file_pages.hpp"
#include "kernel/syscalls/call.hpp"

namespace pulse {

namespace {

/// mount(2)'s flags.
constexpr u64 mount_read_only = 1, mount_again = 32, mount_bind = 4096, mount_move = 8192;
/// umount2(2)'s.
constexpr u64 unmount_force = 1, unmount_lazily = 2, unmount_expired = 4, unmount_no_follow = 8;

Result<Ref<Node>> node_at(Call& call, u64 path, LastLink last = LastLink::Follow) {
  const auto text = read_user_text(path);
  if (!text) return fail(text.error());
  return resolve(*call.process().location, text->view(), last);
}

/// The root of a new file system of this type, from what `source` names.
Result<Ref<Node>> make_file_system(Call& call, std::string_view type, std::string_view source, u64 flags) {
  if (type == "proc") return make_procfs();
  if (type == "sysfs") return make_sysfs();
  if (type == "tmpfs" || type == "ramfs") return make_tmpfs(kernel_file_pages());
  if (type != "ext2") return fail(Errno::NoDevice);
  const auto node = resolve(*call.process().location, source);
  if (!node) return fail(node.error());
  if (!(*node)->is(node_mode::block)) return fail(Errno::NotBlockDevice);
  BlockDevice* const device = find_block_device((*node)->device);
  if (device == nullptr) return fail(Errno::NoDevice6);
  return mount_ext2(*device, (flags & mount_read_only) != 0 ? MountAccess::ReadOnly : MountAccess::ReadWrite);
}

Result<void> mount_again_as(const Ref<Node>& root, u64 flags) {
  if (!is_mounted_on(root)) return fail(Errno::Invalid);
  FileSystem* const system = root->file_system();
  return system != nullptr ? system->set_read_only((flags & mount_read_only) != 0) : Result<void>();
}

CallResult sys_mount(Call& call) {
  if (const auto allowed = check_root(); !allowed) return fail(allowed.error());
  const auto covered = node_at(call, call.b);
  if (!covered) return fail(covered.error());
  if (!(*covered)->is(node_mode::directory)) return fail(Errno::NotDirectory);
  if ((call.d & mount_again) != 0) return done(mount_again_as(*covered, call.d));
  if ((call.d & (mount_bind | mount_move)) != 0) return fail(Errno::Invalid);
  const auto type = read_user_text(call.c);
  if (!type) return fail(type.error());
  // The devices are in the root file system from the start.
  if (type->view() == "devtmpfs") return 0;
  const auto source = call.a != 0 ? read_user_text(call.a) : Result<UserText>(UserText{});
  if (!source) return fail(source.error());
  if (is_mounted_on(*covered) && (type->view() == "proc" || type->view() == "sysfs")) return fail(Errno::Busy);
  const auto root = make_file_system(call, type->view(), source->view(), call.d);
  if (!root) return fail(root.error());
  char buffer[512];
  const auto path = path_of(*call.process().location, *covered, buffer);
  const std::string_view shown = source->length > 0 ? source->view() : std::string_view("none");
  mount(*covered, *root, {shown, type->view(), path ? *path : "?"});
  return 0;
}

CallResult sys_umount2(Call& call) {
  if (const auto allowed = check_root(); !allowed) return fail(allowed.error());
  constexpr u64 known = unmount_force | unmount_lazily | unmount_expired | unmount_no_follow;
  if ((call.b & ~known) != 0) return fail(Errno::Invalid);
  const auto root = node_at(call, call.a, (call.b & unmount_no_follow) != 0 ? LastLink::Keep : LastLink::Follow);
  if (!root) return fail(root.error());
  if (!is_mounted_on(*root)) return fail(Errno::Invalid);
  FileSystem* const system = (*root)->file_system();
  if (system == nullptr) return done(unmount(*root));
  constexpr u32 owners = 2;  // the mount and this call
  const bool may_be_in_use = (call.b & unmount_lazily) != 0;
  if (!may_be_in_use && system->is_in_use(**root, owners)) return fail(Errno::Busy);
  // What can't be written now never will: then it stays mounted.
  if (const auto written = system->sync(); !written) return fail(written.error());
  // Writing took its time, and others ran.
  if (!may_be_in_use && system->is_in_use(**root, owners)) return fail(Errno::Busy);
  return done(unmount(*root));
}

/// struct statfs of x86-64 (asm-generic/statfs.h).
struct FileSystemStatus {
  i64 type, block_size;
  u64 blocks, free_blocks, available_blocks, files, free_files;
  i32 id[2];
  i64 longest_name, fragment_size, flags, spare[4];
};

CallResult tell_file_system(const Result<Ref<Node>>& node, u64 into) {
  constexpr u64 proc_magic = 0x9FA0;  // linux/magic.h
  constexpr i64 read_only_flag = 1, flags_are_valid = 0x20;
  if (!node) return fail(node.error());
  FileSystem* const system = (*node)->file_system();
  const FileSystemUse use = system != nullptr ? system->use() : FileSystemUse{.magic = proc_magic};
  const bool read_only = system != nullptr && system->read_only();
  return done(write_user(into, FileSystemStatus{.type = static_cast<i64>(use.magic),
                                                .block_size = static_cast<i64>(use.block_bytes),
                                                .blocks = use.blocks,
                                                .free_blocks = use.free_blocks,
                                                .available_blocks = use.available_blocks,
                                                .files = use.files,
                                                .free_files = use.free_files,
                                                .id = {static_cast<i32>(system != nullptr ? system->number : 0), 0},
                                                .longest_name = 255,
                                                .fragment_size = static_cast<i64>(use.block_bytes),
                                                .flags = flags_are_valid | (read_only ? read_only_flag : 0),
                                                .spare = {}}));
}
CallResult sys_statfs(Call& call) { return tell_file_system(node_at(call, call.a), call.b); }
CallResult sys_fstatfs(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (!(*file)->node) return fail(Errno::Invalid);
  return tell_file_system((*file)->node, call.b);
}

CallResult sys_sync(Call&) {
  for (std::size_t i = 0; const auto mounted = mount_at(i); ++i) {
    if (FileSystem* const system = mounted->upper->file_system()) (void)system->sync();
  }
  return 0;
}

/// All of the file system, which is more than was asked for.
CallResult sys_fsync(Call& call) {
  const auto file = call.process().files->get(call.a);
  if (!file) return fail(file.error());
  if (!(*file)->node) return fail(Errno::Invalid);
  if ((*file)->node->is(node_mode::block)) {
    BlockDevice* const device = find_block_device((*file)->node->device);
    return device != nullptr ? done(device->flush()) : fail(Errno::NoDevice6);
  }
  FileSystem* const system = (*file)->node->file_system();
  return system != nullptr ? done(system->sync()) : CallResult(0);
}

constexpr CallEntry entries[] = {{74, "fsync", sys_fsync},      {75, "fdatasync", sys_fsync},
                                 {137, "statfs", sys_statfs},   {138, "fstatfs", sys_fstatfs},
                                 {162, "sync", sys_sync},       {165, "mount", sys_mount},
                                 {166, "umount2", sys_umount2}, {306, "syncfs", sys_fsync}};

}  // namespace

std::span<const CallEntry> mount_calls() { return entries; }

}  // namespace pulse
