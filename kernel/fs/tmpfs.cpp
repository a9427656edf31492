#include "kernel/fs/tmpfs.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "kernel/core/make_room.hpp"
#include "kernel/core/time.hpp"

namespace pulse {

namespace {

constexpr u64 page_size = 4096;
constexpr u64 largest_file = u64{1} << 30;

class TmpNode;

struct TmpFileSystem final : FileSystem {
  explicit TmpFileSystem(FilePages& source) : pages(source) {}
  FilePages& pages;
  u64 next_number = 1;
  TmpNode* newest = nullptr;  // of all there are, in a directory or not

  [[nodiscard]] FileSystemUse use() override {
    constexpr u64 magic = 0x01021994;  // linux/magic.h, TMPFS_MAGIC
    return {.magic = magic};
  }
  [[nodiscard]] bool is_in_use(const Node& root, u32 owners) const override;
};

class TmpNode : public Node {
 public:
  explicit TmpNode(const Ref<TmpFileSystem>& of, u32 with_mode) : system_(of) {
    number = of->next_number++;
    older_ = std::exchange(of->newest, this);
    if (older_ != nullptr) older_->newer_ = this;
    mode = with_mode;
    accessed = modified = changed = wall_seconds();
  }
  ~TmpNode() override {
    (newer_ != nullptr ? newer_->older_ : system_->newest) = older_;
    if (older_ != nullptr) older_->newer_ = newer_;
  }
  Result<void> attributes_changed() override {
    changed = wall_seconds();
    return {};
  }
  [[nodiscard]] FileSystem* file_system() const override { return system_.get(); }

  [[nodiscard]] const TmpNode* older() const { return older_; }
  /// How many owners it has that are names in directories.
  [[nodiscard]] u32 names() const { return is(node_mode::directory) ? std::min(links, 1u) : links; }

 protected:
  void touch() { modified = changed = wall_seconds(); }
  Ref<TmpFileSystem> system_;

 private:
  TmpNode* older_ = nullptr;
  TmpNode* newer_ = nullptr;
};

bool TmpFileSystem::is_in_use(const Node& root, u32 owners) const {
  const TmpNode* node = newest;
  while (node != nullptr && node->owners() <= (node == &root ? owners : node->names())) node = node->older();
  return node != nullptr;
}

/// A page that stays while it is copied to or from, though its file may be cut meanwhile.
class Pinned {
 public:
  Pinned(FilePages& pages, u64 page) : pages_(pages), page_(page) { pages_.share(page_); }
  ~Pinned() { pages_.release(page_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  [[nodiscard]] u8* bytes() const { return pages_.bytes(page_); }

 private:
  FilePages& pages_;
  u64 page_;
};

class TmpFile final : public TmpNode {
 public:
  using TmpNode::TmpNode;
  ~TmpFile() override { drop_from(0); }

  Result<std::size_t> read_at(u64 offset, IoBuffer& into) override {
    std::size_t moved = 0;
    while (into.remaining() > 0 && offset < size) {
      const std::size_t count = std::min<u64>({into.remaining(), size - offset, page_size - offset % page_size});
      const u64 page = page_of(offset);
      static constexpr u8 zeros[page_size] = {};
      std::size_t copied;
      if (page == hole) {
        copied = into.put_some({zeros, count});
      } else {
        const Pinned pinned(system_->pages, page);
        copied = into.put_some({pinned.bytes() + offset % page_size, count});
      }
      moved += copied;
      offset += copied;
      if (copied < count) return moved_or(moved, Errno::BadAddress);
    }
    return moved;
  }

  Result<std::size_t> write_at(u64 offset, IoBuffer& from) override {
    if (from.remaining() > 0) touch();
    std::size_t moved = 0;
    while (from.remaining() > 0) {
      if (offset >= largest_file) return moved_or(moved, Errno::FileTooBig);
      const std::size_t count =
          std::min<u64>({from.remaining(), page_size - offset % page_size, largest_file - offset});
      const auto page = make_page(offset);
      if (!page) return moved_or(moved, page.error());
      const Pinned pinned(system_->pages, *page);
      const std::size_t copied = from.get_some({pinned.bytes() + offset % page_size, count});
      moved += copied;
      offset += copied;
      if (copied > 0) size = std::max(size, offset);
      if (copied < count) return moved_or(moved, Errno::BadAddress);
    }
    return moved;
  }

  Result<void> resize(u64 bytes) override {
    if (bytes > largest_file) return fail(Errno::FileTooBig);
    if (bytes < size) {
      drop_from((bytes + page_size - 1) / page_size);
      if (const u64 page = page_of(bytes); page != hole && bytes % page_size != 0) {
        std::memset(system_->pages.bytes(page) + bytes % page_size, 0, page_size - bytes % page_size);
      }
    }
    size = bytes;
    touch();
    return {};
  }

  [[nodiscard]] bool has_pages() const override { return true; }
  Result<u64> page_at(u64 offset) override {
    if (offset >= (size + page_size - 1) / page_size * page_size) return fail(Errno::NoDevice6);
    const auto page = make_page(offset);
    if (page) system_->pages.share(*page);
    return page;
  }

 private:
  static constexpr u64 hole = ~u64{0};

  [[nodiscard]] u64 page_of(u64 offset) const {
    const u64 index = offset / page_size;
    return index < pages_.size() ? pages_[index] : hole;
  }
  Result<u64> make_page(u64 offset) {
    const u64 index = offset / page_size;
    if (index >= pages_.size()) {
      if (!make_room(pages_, index + 1)) return fail(Errno::NoSpace);
      pages_.resize(index + 1, hole);
    }
    if (pages_[index] == hole) {
      const auto page = system_->pages.take();
      if (!page) return page;
      pages_[index] = *page;
    }
    return pages_[index];
  }
  void drop_from(u64 index) {
    for (u64 i = index; i < pages_.size(); ++i) {
      if (pages_[i] != hole) system_->pages.release(pages_[i]);
    }
    if (index < pages_.size()) pages_.resize(index);
  }

  std::vector<u64> pages_;
};

class TmpLink final : public TmpNode {
 public:
  TmpLink(const Ref<TmpFileSystem>& of, std::string_view target) : TmpNode(of, node_mode::link | 0777) {
    text_.assign(target.begin(), target.end());
    size = text_.size();
  }
  [[nodiscard]] std::string_view target() const override { return {text_.data(), text_.size()}; }

 private:
  std::vector<char> text_;
};

/// Devices, fifos and sockets: opening one is somebody else's business.
class TmpSpecial final : public TmpNode {
 public:
  using TmpNode::TmpNode;
};

class TmpDirectory final : public TmpNode {
 public:
  TmpDirectory(const Ref<TmpFileSystem>& of, u32 with_mode, Node* above) : TmpNode(of, with_mode), above_(above) {
    links = 2;
  }
  ~TmpDirectory() override {
    for (const Named& named : entries_) {
      if (named.node->is(node_mode::directory)) static_cast<TmpDirectory&>(*named.node).above_ = nullptr;
    }
    // One after the other: removed directories may stand in each other as deep as a program likes.
    Ref<Node> next = std::move(removed_from_);
    while (next && next->owners() == 1) next = std::move(static_cast<TmpDirectory&>(*next).removed_from_);
  }

  Result<Ref<Node>> look_up(std::string_view name) override {
    const Named* const named = find(name);
    if (named == nullptr) return fail(Errno::NoEntry);
    return named->node;
  }

  Result<Ref<Node>> make(std::string_view name, u32 wanted, u32 with_device) override {
    Ref<Node> node;
    switch (wanted & node_mode::type) {
      case node_mode::directory:
        node = new TmpDirectory(system_, wanted, this);
        break;
      case 0:
      case node_mode::regular:
        node = new TmpFile(system_, (wanted & ~node_mode::type) | node_mode::regular);
        break;
      default:
        node = new TmpSpecial(system_, wanted);
    }
    node->device = with_device;
    if (const auto done = add(name, node); !done) return fail(done.error());
    node->links = node->is(node_mode::directory) ? 2 : 1;
    if (node->is(node_mode::directory)) ++links;
    return node;
  }

  Result<Ref<Node>> make_link(std::string_view name, std::string_view target) override {
    Ref<Node> node(new TmpLink(system_, target));
    if (const auto done = add(name, node); !done) return fail(done.error());
    node->links = 1;
    return node;
  }

  Result<void> add(std::string_view name, Ref<Node> node) override {
    if (find(name) != nullptr) return fail(Errno::Exists);
    if (links == 0) return fail(Errno::NoEntry);  // this directory was removed
    if (!make_room(entries_, entries_.size() + 1)) return fail(Errno::NoSpace);
    ++node->links;
    touch();
    entries_.push_back({{name.begin(), name.end()}, std::move(node)});
    return {};
  }

  Result<void> remove(std::string_view name, Removal what) override {
    Named* const named = find(name);
    if (named == nullptr) return fail(Errno::NoEntry);
    Node& node = *named->node;
    if (node.is(node_mode::directory)) {
      if (what == Removal::File) return fail(Errno::IsDirectory);
      if (node.entry(0)) return fail(Errno::NotEmpty);
      node.links = 0;
      --links;
      static_cast<TmpDirectory&>(node).removed_from_ = this;
    } else {
      if (what == Removal::Directory) return fail(Errno::NotDirectory);
      --node.links;
    }
    entries_.erase(entries_.begin() + (named - entries_.data()));
    touch();
    return {};
  }

  Result<void> rename(std::string_view name, Node& target, std::string_view new_name) override {
    auto& directory = static_cast<TmpDirectory&>(target);
    if (directory.links == 0) return fail(Errno::NoEntry);  // it was removed
    if (!make_room(directory.entries_, directory.entries_.size() + 1)) return fail(Errno::NoSpace);
    const Named* const named = find(name);
    if (named == nullptr) return fail(Errno::NoEntry);
    const Ref<Node> node = named->node;
    const bool moves_directory = node->is(node_mode::directory);
    if (moves_directory && is_inside(*node, directory)) return fail(Errno::Invalid);
    if (Named* const there = directory.find(new_name); there != nullptr) {
      if (there->node == node) return {};
      if (is_inside(*there->node, *this)) return fail(Errno::NotEmpty);
      if (there->node->is(node_mode::directory) != moves_directory) {
        return fail(moves_directory ? Errno::NotDirectory : Errno::IsDirectory);
      }
      if (const auto done = directory.remove(new_name, moves_directory ? Removal::Directory : Removal::File); !done) {
        return done;
      }
    }
    const Named* const still = find(name);
    entries_.erase(entries_.begin() + (still - entries_.data()));
    directory.entries_.push_back({{new_name.begin(), new_name.end()}, node});
    touch();
    directory.touch();
    if (moves_directory) {
      static_cast<TmpDirectory&>(*node).above_ = &directory;
      --links;
      ++directory.links;
    }
    return {};
  }

  Result<Entry> entry(u64 cursor) override {
    if (cursor >= entries_.size()) return fail(Errno::NoEntry);
    const Named& named = entries_[cursor];
    return Entry{{named.name.data(), named.name.size()}, named.node->number, named.node->mode};
  }

  Ref<Node> parent() override { return {above_}; }

 private:
  struct Named {
    std::vector<char> name;
    Ref<Node> node;
  };
  Named* find(std::string_view name) {
    const auto place = std::ranges::find_if(
        entries_, [&](const Named& named) { return std::string_view(named.name.data(), named.name.size()) == name; });
    return place != entries_.end() ? &*place : nullptr;
  }
  static bool is_inside(const Node& outer, TmpDirectory& inner) {
    for (Node* at = &inner; at != nullptr; at = static_cast<TmpDirectory*>(at)->above_) {
      if (at == &outer) return true;
    }
    return false;
  }

  std::vector<Named> entries_;
  Node* above_;             // alive as long as this directory is in it, or null
  Ref<Node> removed_from_;  // the same, for one that was removed while somebody stands in it
};

}  // namespace

Ref<Node> make_unnamed_file(FilePages& pages) {
  return Ref<Node>(new TmpFile(Ref<TmpFileSystem>(new TmpFileSystem(pages)), node_mode::regular | 0600));
}

Ref<Node> make_tmpfs(FilePages& pages) {
  const Ref<TmpFileSystem> system(new TmpFileSystem(pages));
  return Ref<Node>(new TmpDirectory(system, node_mode::directory | 0755, nullptr));
}

}  // namespace pulse
