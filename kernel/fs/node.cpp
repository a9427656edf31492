#include "kernel/fs/node.hpp"

#include <limits>

namespace pulse {

namespace {

constexpr u32 seek_set = 0, seek_current = 1, seek_end = 2;

/// A file with positions: reads and writes go to its node.
class NodeFile final : public File {
 public:
  Result<std::size_t> read(IoBuffer& into) override {
    const Mutex::Hold hold(position);
    const auto count = read_at(offset, into);
    if (count) offset += *count;
    return count;
  }
  Result<std::size_t> write(IoBuffer& from) override {
    const Mutex::Hold hold(position);
    return put(from, offset);
  }
  Result<std::size_t> read_at(u64 at, IoBuffer& into) override {
    if (node->is(node_mode::directory)) return fail(Errno::IsDirectory);
    return node->read_at(at, into);
  }
  /// Appends where that was asked for, whatever `at` says, as Linux does (pwrite(2), BUGS).
  Result<std::size_t> write_at(u64 at, IoBuffer& from) override { return put(from, at); }
  Result<u64> seek(i64 distance, u32 whence) override {
    const Mutex::Hold hold(position);
    const u64 base = whence == seek_set ? 0 : whence == seek_current ? offset : node->size;
    const u64 wanted = base + static_cast<u64>(distance);
    if (whence > seek_end || wanted > static_cast<u64>(std::numeric_limits<i64>::max())) return fail(Errno::Invalid);
    offset = wanted;
    return offset;
  }

 private:
  /// Nobody else writes or cuts the file meanwhile: its end is where it was. `at` goes on behind what was written.
  Result<std::size_t> put(IoBuffer& from, u64& at) {
    const Mutex::Hold hold(node->writing);
    if ((flags & open_flag::append) != 0) at = node->size;
    const auto count = node->write_at(at, from);
    if (count) at += *count;
    return count;
  }
};

}  // namespace

Result<Ref<Node>> Node::look_up(std::string_view) { return fail(Errno::NotDirectory); }
Result<Ref<Node>> Node::make(std::string_view, u32, u32) { return fail(Errno::PermissionDenied); }
Result<Ref<Node>> Node::make_link(std::string_view, std::string_view) { return fail(Errno::PermissionDenied); }
Result<void> Node::add(std::string_view, Ref<Node>) { return fail(Errno::PermissionDenied); }
Result<void> Node::remove(std::string_view, Removal) { return fail(Errno::PermissionDenied); }
Result<void> Node::rename(std::string_view, Node&, std::string_view) { return fail(Errno::PermissionDenied); }
Result<Node::Entry> Node::entry(u64) { return fail(Errno::NotDirectory); }
Result<std::size_t> Node::read_at(u64, IoBuffer&) { return fail(Errno::Invalid); }
Result<std::size_t> Node::write_at(u64, IoBuffer&) { return fail(Errno::Invalid); }
Result<void> Node::resize(u64) { return fail(Errno::Invalid); }
Result<u64> Node::page_at(u64) { return fail(Errno::NoDevice); }

Result<void> Node::set_size(u64 bytes) {
  const Mutex::Hold hold(writing);
  return resize(bytes);
}

Result<Ref<File>> Node::open(u32) {
  if (is(node_mode::socket) || is(node_mode::character) || is(node_mode::block)) return fail(Errno::NoDevice6);
  return Ref<File>(new NodeFile);
}

File::File() = default;
File::~File() = default;
Result<std::size_t> File::read(IoBuffer&) { return fail(Errno::Invalid); }
Result<std::size_t> File::write(IoBuffer&) { return fail(Errno::Invalid); }
Result<u64> File::seek(i64, u32) { return fail(Errno::IllegalSeek); }
Result<std::size_t> File::read_at(u64, IoBuffer&) { return fail(Errno::IllegalSeek); }
Result<std::size_t> File::write_at(u64, IoBuffer&) { return fail(Errno::IllegalSeek); }
Result<u64> File::control(u32, u64) { return fail(Errno::NotTerminal); }

}  // namespace pulse
