// What changes names: every function leaves entries, numbers of links and inodes in agreement.
#include <cstring>
#include <utility>

#include "kernel/core/time.hpp"
#include "kernel/fs/ext2/nodes.hpp"

namespace pulse::ext2 {

namespace {
u32 now() { return static_cast<u32>(wall_seconds()); }
}  // namespace

Ext2Directory::~Ext2Directory() {
  // One after the other: removed directories may stand in each other as deep as a program likes.
  Ref<Ext2Node> next = std::move(removed_from_);
  while (next && next->owners() == 1) next = std::move(static_cast<Ext2Directory&>(*next).removed_from_);
}

Result<Ref<Node>> Ext2Directory::look_up(std::string_view name) {
  const Hold hold(system_->mutex());
  const auto found = volume().find(inode_, name);
  if (!found) return fail(found.error());
  auto node = system_->node(found->inode);
  if (!node) return fail(node.error());
  return Ref<Node>(*node);
}

Result<void> Ext2Directory::check_new(std::string_view name) {
  if (links == 0) return fail(Errno::NoEntry);  // this directory was removed
  if (name.size() > most_name_bytes) return fail(Errno::NameTooLong);
  const auto found = volume().find(inode_, name);
  if (found) return fail(Errno::Exists);
  if (found.error() != Errno::NoEntry) return fail(found.error());
  return volume().writable() ? Result<void>() : fail(Errno::ReadOnly);
}

template <class Fill>
Result<Ref<Node>> Ext2Directory::make_inode(std::string_view name, u32 wanted, Fill fill) {
  if (const auto sound = check_new(name); !sound) return fail(sound.error());
  const bool is_directory = (wanted & node_mode::type) == node_mode::directory;
  const InodeKind kind = is_directory ? InodeKind::Directory : InodeKind::File;
  if (is_directory && links >= most_links) return fail(Errno::TooManyLinks);
  const auto number = volume().allocate_inode(inode_.number, kind);
  if (!number) return fail(number.error());
  if (system_->live(*number) != nullptr)
    return volume().corrupt("ext2: inode {}, which is in use, was marked as free", *number);
  OpenInode made{*number};
  made.disk.mode = static_cast<u16>(wanted);
  made.disk.links = is_directory ? 2 : 1;
  made.disk.accessed = made.disk.modified = made.disk.changed = now();
  Result<void> done = fill(made);
  if (done) done = volume().store(made, Volume::Store::New);
  if (done) done = volume().add_entry(inode_, name, *number, wanted);
  if (!done) {
    if (made.disk.sectors > 0) (void)volume().cut(made, 0);
    made.disk.links = 0;
    made.disk.deleted = now();
    (void)volume().store(made, Volume::Store::New);
    (void)volume().free_inode(*number, kind);
    (void)save();
    return fail(done.error());
  }
  if (is_directory) ++links;
  size = inode_.disk.size;
  touch();
  if (const auto saved = save(); !saved) return fail(saved.error());
  auto node = system_->node(*number);
  if (!node) return fail(node.error());
  return Ref<Node>(*node);
}

Result<Ref<Node>> Ext2Directory::make(std::string_view name, u32 wanted, u32 with_device) {
  const Hold hold(system_->mutex());
  if ((wanted & node_mode::type) == 0) wanted |= node_mode::regular;
  return make_inode(name, wanted, [&](OpenInode& made) -> Result<void> {
    switch (wanted & node_mode::type) {
      case node_mode::directory:
        return volume().start_directory(made, inode_.number);
      case node_mode::character:
      case node_mode::block:
        made.disk.block[with_device < 0x1'0000 ? 0 : 1] = with_device;
        return {};
      case node_mode::regular:
      case node_mode::fifo:
      case node_mode::socket:
        return {};
      default:
        return fail(Errno::Invalid);
    }
  });
}

Result<Ref<Node>> Ext2Directory::make_link(std::string_view name, std::string_view target) {
  const Hold hold(system_->mutex());
  if (target.size() >= volume().block_bytes()) return fail(Errno::NameTooLong);
  return make_inode(name, node_mode::link | 0777, [&](OpenInode& made) -> Result<void> {
    made.disk.size = static_cast<u32>(target.size());
    if (target.size() < short_link_bytes) {
      std::memcpy(made.disk.block, target.data(), target.size());
      return {};
    }
    const auto block = volume().make_block_at(made, 0);
    if (!block) return fail(block.error());
    auto held = volume().cache().read(*block);
    if (!held) return fail(held.error());
    std::memcpy(held->change().data(), target.data(), target.size());
    return {};
  });
}

Result<void> Ext2Directory::add(std::string_view name, Ref<Node> node) {
  if (node->file_system() != system_.get()) return fail(Errno::CrossDevice);
  auto& added = static_cast<Ext2Node&>(*node);
  const Hold hold(system_->mutex());
  if (const auto sound = check_new(name); !sound) return sound;
  if (added.links == 0) return fail(Errno::NoEntry);
  if (added.links >= most_links) return fail(Errno::TooManyLinks);
  if (const auto done = volume().add_entry(inode_, name, added.inode_.number, added.mode); !done) {
    (void)save();
    return done;
  }
  ++added.links;
  added.changed = now();
  if (const auto saved = added.save(); !saved) return saved;
  size = inode_.disk.size;
  touch();
  return save();
}

Result<void> Ext2Directory::check_removable(Ext2Node& node, Removal what) {
  if (!node.is(node_mode::directory)) return what == Removal::File ? Result<void>() : fail(Errno::NotDirectory);
  if (what == Removal::File) return fail(Errno::IsDirectory);
  if (node.inode_.number == root_inode || &node == this)
    return volume().corrupt("ext2: directory {} has a name that it can't have", node.inode_.number);
  const auto empty = volume().is_empty(node.inode_);
  if (!empty) return fail(empty.error());
  return *empty ? Result<void>() : fail(Errno::NotEmpty);
}

Result<void> Ext2Directory::drop_name(Ext2Node& node) {
  if (node.is(node_mode::directory)) static_cast<Ext2Directory&>(node).removed_from_ = this;
  node.links = node.is(node_mode::directory) || node.links == 0 ? 0 : node.links - 1;
  node.changed = now();
  return node.save();
}

Result<void> Ext2Directory::remove(std::string_view name, Removal what) {
  Ref<Ext2Node> victim;
  const Hold hold(system_->mutex());
  if (!volume().writable()) return fail(Errno::ReadOnly);
  const auto found = volume().find(inode_, name);
  if (!found) return fail(found.error());
  const auto node = system_->node(found->inode);
  if (!node) return fail(node.error());
  victim = *node;
  if (const auto sound = check_removable(*victim, what); !sound) return sound;
  if (const auto done = volume().remove_entry(inode_, *found); !done) return done;
  if (const auto done = drop_name(*victim); !done) return done;
  if (what == Removal::Directory && links > 2) --links;
  touch();
  return save();
}

/// By way of "..", no further than there are inodes: on a damaged disk that may lead in circles.
Result<bool> Ext2Directory::is_inside(const Ext2Node& outer) {
  OpenInode at = inode_;
  for (u32 steps = 0; steps < volume().superblock().inodes; ++steps) {
    if (at.number == outer.inode_.number) return true;
    if (at.number == root_inode) return false;
    const auto above = volume().find(at, "..");
    if (!above) return fail(above.error());
    const auto disk = volume().load(above->inode);
    if (!disk) return fail(disk.error());
    if ((disk->mode & node_mode::type) != node_mode::directory) break;
    at = {above->inode, *disk};
  }
  return volume().corrupt("ext2: from directory {} no way leads to the root", inode_.number);
}

Result<void> Ext2Directory::rename(std::string_view name, Node& to, std::string_view new_name) {
  auto& target = static_cast<Ext2Directory&>(to);
  Ref<Ext2Node> moved;
  Ref<Ext2Node> replaced;
  const Hold hold(system_->mutex());
  if (!volume().writable()) return fail(Errno::ReadOnly);
  if (target.links == 0) return fail(Errno::NoEntry);
  if (new_name.size() > most_name_bytes) return fail(Errno::NameTooLong);
  const auto found = volume().find(inode_, name);
  if (!found) return fail(found.error());
  const auto node = system_->node(found->inode);
  if (!node) return fail(node.error());
  moved = *node;
  const bool moves_directory = moved->is(node_mode::directory);
  const bool changes_parent = &target != this;
  if (moves_directory) {
    const auto inside = target.is_inside(*moved);
    if (!inside) return fail(inside.error());
    if (*inside) return fail(Errno::Invalid);
  }
  const auto there = volume().find(target.inode_, new_name);
  if (!there && there.error() != Errno::NoEntry) return fail(there.error());
  if (there) {
    const auto other = system_->node(there->inode);
    if (!other) return fail(other.error());
    replaced = *other;
    if (replaced == moved) return {};
    if (replaced.get() == static_cast<Ext2Node*>(this)) return fail(Errno::NotEmpty);
    if (moves_directory && !replaced->is(node_mode::directory)) return fail(Errno::NotDirectory);
    if (const auto sound = target.check_removable(*replaced, moves_directory ? Removal::Directory : Removal::File);
        !sound)
      return sound;
    if (const auto done = volume().redirect_entry(target.inode_, *there, moved->inode_.number, moved->mode); !done)
      return done;
    if (const auto done = drop_name(*replaced); !done) return done;
    if (moves_directory && target.links > 2) --target.links;
  } else {
    if (moves_directory && changes_parent && target.links >= most_links) return fail(Errno::TooManyLinks);
    if (const auto done = volume().add_entry(target.inode_, new_name, moved->inode_.number, moved->mode); !done) {
      (void)target.save();
      return done;
    }
    target.size = target.inode_.disk.size;
  }
  const auto old = volume().find(inode_, name);  // again: the new name may have changed this block
  if (!old) return fail(old.error());
  if (const auto done = volume().remove_entry(inode_, *old); !done) return done;
  if (moves_directory && changes_parent) {
    const auto above = volume().find(moved->inode_, "..");
    if (!above) return fail(above.error());
    if (const auto done = volume().redirect_entry(moved->inode_, *above, target.inode_.number, target.mode); !done)
      return done;
    if (links > 2) --links;
    ++target.links;
  }
  moved->changed = now();
  if (const auto saved = moved->save(); !saved) return saved;
  touch();
  if (const auto saved = save(); !saved) return saved;
  target.touch();
  return target.save();
}

Result<Node::Entry> Ext2Directory::entry(u64 cursor) {
  const Hold hold(system_->mutex());
  const auto listed = volume().list(inode_, cursor, name_);
  if (!listed) return fail(listed.error());
  return Entry{{name_, listed->name_length}, listed->inode, listed->mode, listed->next};
}

Ref<Node> Ext2Directory::parent() {
  if (inode_.number == root_inode) return {};
  if (removed_from_) return removed_from_;
  const Hold hold(system_->mutex());
  const auto above = volume().find(inode_, "..");
  if (!above) return {};
  const auto node = system_->node(above->inode);
  if (!node || !(*node)->is(node_mode::directory)) return {};
  return Ref<Node>(*node);
}

}  // namespace pulse::ext2
