#include "kernel/fs/procfs.hpp"

#include <algorithm>
#include <vector>

#include "kernel/core/scheduler.hpp"
#include "kernel/fs/path.hpp"

namespace pulse {

namespace {

constexpr u32 process_bits = 10;  // inode numbers: process << process_bits | place in its directory

struct VectorSink final : TextSink {
  using TextSink::put;
  void put(char character) override { bytes.push_back(static_cast<u8>(character)); }
  std::vector<u8> bytes;
};

Result<std::size_t> copy_part(const std::vector<u8>& bytes, u64 offset, IoBuffer& into) {
  if (offset >= bytes.size()) return 0;
  const std::size_t count = std::min<u64>(into.remaining(), bytes.size() - offset);
  const std::size_t copied = into.put_some({bytes.data() + offset, count});
  return copied == count ? Result<std::size_t>(count) : moved_or(copied, Errno::BadAddress);
}

/// Shows what held when it was opened, however many reads that takes.
class TextFile final : public File {
 public:
  explicit TextFile(std::vector<u8> bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(IoBuffer& into) override {
    const Mutex::Hold hold(position);
    const auto count = copy_part(bytes_, offset, into);
    if (count) offset += *count;
    return count;
  }
  Result<std::size_t> read_at(u64 at, IoBuffer& into) override { return copy_part(bytes_, at, into); }
  Result<u64> seek(i64 distance, u32 whence) override {
    constexpr u32 seek_end = 2;
    const Mutex::Hold hold(position);
    const u64 wanted = (whence == 0 ? 0 : whence == 1 ? offset : bytes_.size()) + static_cast<u64>(distance);
    if (whence > seek_end || static_cast<i64>(wanted) < 0) return fail(Errno::Invalid);
    return offset = wanted;
  }

 private:
  std::vector<u8> bytes_;
};

class TextNode : public Node {
 public:
  explicit TextNode(u64 inode) {
    number = inode;
    mode = node_mode::regular | 0444;
  }
  Result<Ref<File>> open(u32) override {
    auto bytes = text();
    if (!bytes) return fail(bytes.error());
    return Ref<File>(new TextFile(std::move(*bytes)));
  }
  Result<std::size_t> read_at(u64 offset, IoBuffer& into) override {
    const auto bytes = text();
    if (!bytes) return fail(bytes.error());
    return copy_part(*bytes, offset, into);
  }

 protected:
  [[nodiscard]] virtual Result<std::vector<u8>> text() const = 0;
};

class SystemFile final : public TextNode {
 public:
  SystemFile(u64 inode, const SystemEntry& entry) : TextNode(inode), entry_(&entry) {
    mode = node_mode::regular | entry.permissions;
  }

 protected:
  [[nodiscard]] Result<std::vector<u8>> text() const override {
    VectorSink sink;
    entry_->write(sink);
    return std::move(sink.bytes);
  }

 private:
  const SystemEntry* entry_;
};

class ProcessFile final : public TextNode {
 public:
  ProcessFile(u64 inode, const ProcessEntry& entry, u32 process) : TextNode(inode), entry_(&entry), process_(process) {
    mode = node_mode::regular | entry.permissions;
  }

 protected:
  [[nodiscard]] Result<std::vector<u8>> text() const override {
    const Process* const process = find_process(process_);
    if (process == nullptr) return fail(Errno::NoProcess);
    VectorSink sink;
    entry_->write(sink, *process);
    return std::move(sink.bytes);
  }

 private:
  const ProcessEntry* entry_;
  u32 process_;
};

/// A link that leads straight to a node, whatever its text says.
class LeadingLink final : public Node {
 public:
  LeadingLink(u64 inode, std::string_view text, Ref<Node> to) : text_(text.begin(), text.end()), to_(std::move(to)) {
    number = inode;
    mode = node_mode::link | 0777;
    size = text_.size();
  }
  [[nodiscard]] std::string_view target() const override { return {text_.data(), text_.size()}; }
  Ref<Node> leads_to() override { return to_; }

 private:
  std::vector<char> text_;
  Ref<Node> to_;
};

class Directory : public Node {
 public:
  Directory(u64 inode, Ref<Node> above) : above_(std::move(above)) {
    number = inode;
    mode = node_mode::directory | 0555;
    links = 2;
  }
  Ref<Node> parent() override { return above_; }

 private:
  Ref<Node> above_;
};

std::string_view decimal(u32 number, std::span<char> buffer) {
  BufferSink sink(buffer);
  format(sink, "{}", number);
  return sink.text();
}

std::optional<u32> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 9 || text.front() == '0') {
    if (text != "0") return std::nullopt;
  }
  u32 value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + static_cast<u32>(digit - '0');
  }
  return value;
}

class DescriptorDirectory final : public Directory {
 public:
  DescriptorDirectory(u64 inode, u32 process, const Ref<Node>& above) : Directory(inode, above), process_(process) {
    mode = node_mode::directory | 0500;
  }

  Result<Ref<Node>> look_up(std::string_view name) override {
    const Process* const process = find_process(process_);
    const auto wanted = parse_decimal(name);
    if (process == nullptr || !process->files || !wanted) return fail(Errno::NoEntry);
    const auto file = process->files->get(*wanted);
    if (!file) return fail(Errno::NoEntry);
    const std::vector<char>& path = (*file)->path;
    const std::string_view text = path.empty() ? "anon_inode:[file]" : std::string_view(path.data(), path.size());
    return Ref<Node>(new LeadingLink(number + 1 + *wanted, text, (*file)->node));
  }

  Result<Entry> entry(u64 cursor) override {
    const Process* const process = find_process(process_);
    if (process == nullptr || !process->files) return fail(Errno::NoEntry);
    // The cursor is the descriptor, so that none is left out when others are closed meanwhile.
    for (u64 descriptor = cursor; descriptor < process->files->size(); ++descriptor) {
      if (!process->files->get(descriptor)) continue;
      return Entry{decimal(static_cast<u32>(descriptor), name_), number + 1 + descriptor, node_mode::link,
                   descriptor + 1};
    }
    return fail(Errno::NoEntry);
  }

 private:
  u32 process_;
  char name_[12] = {};
};

Ref<Node> owned_by(const Process& process, Ref<Node> node) {
  node->user = process.credentials.user.effective;
  node->group = process.credentials.group.effective;
  return node;
}

/// Where a process's links lead is for its user and root: the way there may be shut to others.
bool is_own(const Process& process) {
  const Credentials& who = current_process().credentials;
  return who.is_root() || who.user.effective == process.credentials.user.effective;
}

class ProcessDirectory final : public Directory {
 public:
  ProcessDirectory(u32 process, const Ref<Node>& above)
      : Directory(u64{process} << process_bits, above), process_(process) {}

  [[nodiscard]] u32 process() const { return process_; }

  Result<Ref<Node>> look_up(std::string_view name) override {
    const Process* const process = find_process(process_);
    if (process == nullptr) return fail(Errno::NoEntry);
    for (std::size_t i = 0; i < process_entries().size(); ++i) {
      const ProcessEntry& entry = process_entries()[i];
      if (entry.name == name) return owned_by(*process, new ProcessFile(inode(i), entry, process_));
    }
    const std::size_t place = process_entries().size();
    if (name == "fd")
      return owned_by(*process, new DescriptorDirectory(u64{process_} << 32, process_, Ref<Node>(this)));
    const bool is_link = name == "exe" || name == "cwd" || name == "root";
    if (is_link && !is_own(*process)) return fail(Errno::AccessDenied);
    if (name == "exe" && process->program) {
      return Ref<Node>(new LeadingLink(inode(place + 1), {process->program_path.data(), process->program_path.size()},
                                       process->program));
    }
    if (process->location && (name == "cwd" || name == "root")) {
      const Ref<Location> location = process->location;  // the process may end while a disk is asked
      const Ref<Node> to = name == "cwd" ? location->current : location->root;
      char buffer[512];
      const auto path = path_of(*location, to, buffer);
      return Ref<Node>(new LeadingLink(inode(place + (name == "cwd" ? 2 : 3)), path ? *path : "?", to));
    }
    return fail(Errno::NoEntry);
  }

  Result<Entry> entry(u64 cursor) override {
    static constexpr Entry others[] = {{"fd", 0, node_mode::directory},
                                       {"exe", 0, node_mode::link},
                                       {"cwd", 0, node_mode::link},
                                       {"root", 0, node_mode::link}};
    const auto files = process_entries();
    if (find_process(process_) == nullptr) return fail(Errno::NoEntry);
    if (cursor < files.size()) return Entry{files[cursor].name, inode(cursor), node_mode::regular};
    cursor -= files.size();
    if (cursor >= std::size(others)) return fail(Errno::NoEntry);
    return Entry{others[cursor].name, inode(files.size() + cursor), others[cursor].mode};
  }

 private:
  [[nodiscard]] u64 inode(u64 place) const { return number + 1 + place; }
  u32 process_;
};

class ProcRoot final : public Directory {
 public:
  ProcRoot() : Directory(1, {}) {}

  Result<Ref<Node>> look_up(std::string_view name) override {
    const auto files = system_entries();
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (files[i].name == name) return Ref<Node>(new SystemFile(2 + i, files[i]));
    }
    const Process* const self = current_thread().process;
    if (name == "self" && self != nullptr) {
      const auto directory = process_directory(self->id);
      if (!directory) return directory;
      char digits[12];
      return Ref<Node>(new LeadingLink(2 + files.size(), decimal(self->id, digits), *directory));
    }
    const auto process = parse_decimal(name);
    return process ? process_directory(*process) : fail(Errno::NoEntry);
  }

  Result<Entry> entry(u64 cursor) override {
    const auto files = system_entries();
    if (cursor < files.size()) return Entry{files[cursor].name, 2 + cursor, node_mode::regular};
    cursor -= files.size();
    if (cursor == 0) return Entry{"self", 2 + files.size(), node_mode::link};
    // The cursor is a process number, so that none is left out when others end meanwhile.
    const auto& processes = all_processes();
    const auto next = std::ranges::lower_bound(processes, cursor, {}, [](const Process* p) { return u64{p->id}; });
    if (next == processes.end()) return fail(Errno::NoEntry);
    const u32 id = (*next)->id;
    return Entry{decimal(id, name_), u64{id} << process_bits, node_mode::directory, files.size() + id + 1};
  }

 private:
  /// The same node every time, as long as the process is there: working directories are compared by it.
  Result<Ref<Node>> process_directory(u32 id) {
    std::erase_if(directories_, [](const Ref<Node>& node) {
      return find_process(static_cast<ProcessDirectory&>(*node).process()) == nullptr;
    });
    if (find_process(id) == nullptr) return fail(Errno::NoEntry);
    auto place = std::ranges::find(
        directories_, id, [](const Ref<Node>& node) { return static_cast<ProcessDirectory&>(*node).process(); });
    if (place == directories_.end()) {
      directories_.emplace_back(new ProcessDirectory(id, Ref<Node>(this)));
      place = directories_.end() - 1;
    }
    return owned_by(*find_process(id), *place);
  }

  std::vector<Ref<Node>> directories_;
  char name_[12] = {};
};

}  // namespace

Ref<Node> make_sysfs() {
  class Empty final : public Directory {
   public:
    Empty() : Directory(1, {}) {}
    Result<Ref<Node>> look_up(std::string_view) override { return fail(Errno::NoEntry); }
    Result<Entry> entry(u64) override { return fail(Errno::NoEntry); }
  };
  static const Ref<Node> root(new Empty);
  return root;
}

Ref<Node> make_procfs() {
  static const Ref<Node> root(new ProcRoot);
  return root;
}

}  // namespace pulse
