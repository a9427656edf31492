// The nodes of ext2 and the table of those that are in memory: an inode has at most one.
//
// Every public function of a node takes the file system's lock, and nothing that takes it is called under it: that is
// why references to nodes are declared before the lock is.
#pragma once

#include <vector>

#include "kernel/core/mutex.hpp"
#include "kernel/fs/ext2/ext2.hpp"
#include "kernel/fs/ext2/volume.hpp"

namespace pulse::ext2 {

class Ext2Node;

class Ext2 final : public FileSystem {
 public:
  Ext2(BlockDevice& device, std::unique_ptr<Volume> volume) : device_(device), volume_(std::move(volume)) {}
  ~Ext2() override;

  [[nodiscard]] FileSystemUse use() override;
  [[nodiscard]] Result<void> sync() override;
  [[nodiscard]] bool read_only() const override { return !volume_->writable(); }
  [[nodiscard]] Result<void> set_read_only(bool wanted) override;
  [[nodiscard]] bool is_in_use(const Node& root, u32 owners) const override;

  [[nodiscard]] Volume& volume() { return *volume_; }
  [[nodiscard]] Mutex& mutex() { return mutex_; }
  // Under the lock, but for forget().
  [[nodiscard]] Result<Ref<Ext2Node>> node(u32 number);
  [[nodiscard]] Ext2Node* live(u32 number) const;
  void forget(Ext2Node& node);

 private:
  [[nodiscard]] Result<Ref<Ext2Node>> make_node(const OpenInode& inode);
  static constexpr std::size_t buckets = 64;
  [[nodiscard]] static std::size_t bucket_of(u64 number) { return number % buckets; }

  BlockDevice& device_;
  std::unique_ptr<Volume> volume_;
  Mutex mutex_;
  Ext2Node* live_[buckets] = {};
};

class Ext2Node : public Node {
 public:
  Ext2Node(Ext2& system, const OpenInode& inode);
  [[nodiscard]] FileSystem* file_system() const override { return system_.get(); }
  [[nodiscard]] Result<void> attributes_changed() override;
  [[nodiscard]] u64 sectors() const override { return inode_.disk.sectors; }

  Ext2Node* next_live = nullptr;  ///< the table's

 protected:
  friend class Ext2Directory;
  using Hold = Mutex::Hold;
  [[nodiscard]] Volume& volume() const { return system_->volume(); }
  /// What the node says, into the inode and that to the cache.
  [[nodiscard]] Result<void> save();
  void touch();
  void last_owner_left() override;

  Ref<Ext2> system_;
  OpenInode inode_;

 private:
  [[nodiscard]] Result<void> give_back();
};

class Ext2File final : public Ext2Node {
 public:
  using Ext2Node::Ext2Node;
  [[nodiscard]] Result<std::size_t> read_at(u64 offset, IoBuffer& into) override;
  [[nodiscard]] Result<std::size_t> write_at(u64 offset, IoBuffer& from) override;
  [[nodiscard]] Result<void> resize(u64 bytes) override;

 private:
  [[nodiscard]] Result<void> read_piece(u64 offset, std::span<u8> into);
  [[nodiscard]] Result<void> write_piece(u64 offset, std::span<const u8> from);
  void note_access();
};

class Ext2Link final : public Ext2Node {
 public:
  Ext2Link(Ext2& system, const OpenInode& inode, std::vector<char> text)
      : Ext2Node(system, inode), text_(std::move(text)) {}
  [[nodiscard]] std::string_view target() const override { return {text_.data(), text_.size()}; }

 private:
  std::vector<char> text_;
};

class Ext2Directory final : public Ext2Node {
 public:
  using Ext2Node::Ext2Node;
  ~Ext2Directory() override;
  [[nodiscard]] Result<Ref<Node>> look_up(std::string_view name) override;
  [[nodiscard]] Result<Ref<Node>> make(std::string_view name, u32 mode, u32 device) override;
  [[nodiscard]] Result<Ref<Node>> make_link(std::string_view name, std::string_view target) override;
  [[nodiscard]] Result<void> add(std::string_view name, Ref<Node> node) override;
  [[nodiscard]] Result<void> remove(std::string_view name, Removal what) override;
  [[nodiscard]] Result<void> rename(std::string_view name, Node& target, std::string_view new_name) override;
  [[nodiscard]] Result<Entry> entry(u64 cursor) override;
  [[nodiscard]] Ref<Node> parent() override;

 private:
  /// It can take a new name.
  [[nodiscard]] Result<void> check_new(std::string_view name);
  /// A new inode with this name. `fill` gives it its contents.
  template <class Fill>
  [[nodiscard]] Result<Ref<Node>> make_inode(std::string_view name, u32 mode, Fill fill);
  [[nodiscard]] Result<void> check_removable(Ext2Node& node, Removal what);
  /// A name of `node` is gone.
  [[nodiscard]] Result<void> drop_name(Ext2Node& node);
  [[nodiscard]] Result<bool> is_inside(const Ext2Node& outer);

  char name_[most_name_bytes] = {};  // of the entry that entry() gave last
  Ref<Ext2Node> removed_from_;       // one that was removed while somebody stands in it still has a directory above
};

}  // namespace pulse::ext2
