#include "kernel/fs/block_file.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <vector>

namespace pulse {

namespace {

constexpr u32 seek_set = 0, seek_current = 1, seek_end = 2;
constexpr u64 sector_bytes = BlockDevice::sector_bytes;
/// As much as goes over one copy at a time.
constexpr u64 most_bytes = 64 * sector_bytes;

std::vector<NamedBlockDevice> named_devices;

class BlockFile final : public File {
 public:
  explicit BlockFile(BlockDevice& blocks) : blocks_(blocks) {}

  Result<std::size_t> read(IoBuffer& into) override {
    const Mutex::Hold hold(position);
    return advance(read_at(offset, into));
  }
  Result<std::size_t> write(IoBuffer& from) override {
    const Mutex::Hold hold(position);
    return advance(write_at(offset, from));
  }

  Result<std::size_t> read_at(u64 at, IoBuffer& into) override {
    return move(at, into, [this, &into](const Piece& piece) -> Result<std::size_t> {
      if (const auto ok = blocks_.read(piece.sector, piece.sectors); !ok) return fail(ok.error());
      return into.put_some(piece.wanted);
    });
  }

  Result<std::size_t> write_at(u64 at, IoBuffer& from) override {
    if (!blocks_.writable()) return fail(Errno::ReadOnly);
    if (at >= end() && from.remaining() > 0) return fail(Errno::NoSpace);
    const Mutex::Hold hold(blocks_.changing);
    return move(at, from, [this, &from](const Piece& piece) -> Result<std::size_t> {
      if (piece.wanted.size() != piece.sectors.size()) {
        if (const auto ok = blocks_.read(piece.sector, piece.sectors); !ok) return fail(ok.error());
      }
      if (!from.get(piece.wanted)) return 0;
      const Result<void> written = blocks_.write(piece.sector, piece.sectors);
      if (written) return piece.wanted.size();
      from.go_back(piece.wanted.size());
      return fail(written.error());
    });
  }

  Result<u64> seek(i64 distance, u32 whence) override {
    if (whence > seek_end) return fail(Errno::Invalid);
    const Mutex::Hold hold(position);
    const u64 base = whence == seek_set ? 0 : whence == seek_current ? offset : end();
    const u64 wanted = base + static_cast<u64>(distance);
    if (wanted > static_cast<u64>(std::numeric_limits<i64>::max())) return fail(Errno::Invalid);
    offset = wanted;
    return offset;
  }

 private:
  struct Piece {
    u64 sector;
    std::span<u8> sectors;  // whole ones, in the kernel
    std::span<u8> wanted;   // of them
  };
  [[nodiscard]] u64 end() const { return blocks_.sectors() * sector_bytes; }

  Result<std::size_t> advance(Result<std::size_t> moved) {
    if (moved) offset += *moved;
    return moved;
  }

  /// Calls `each` for piece after piece from `at` on; it says how much of the piece was moved, and less than all is a
  /// page that is not there. An error behind the first byte is told the next time.
  template <class Each>
  Result<std::size_t> move(u64 at, const IoBuffer& buffer, Each each) {
    const std::unique_ptr<u8[]> memory(new (std::nothrow) u8[most_bytes]);
    if (memory == nullptr) return fail(Errno::NoMemory);
    std::size_t moved = 0;
    while (buffer.remaining() > 0 && at < end()) {
      const u64 before = at % sector_bytes;
      const u64 count = std::min({u64{buffer.remaining()}, most_bytes - before, end() - at});
      const u64 whole = (before + count + sector_bytes - 1) / sector_bytes * sector_bytes;
      const std::span sectors(memory.get(), whole);
      const Result<std::size_t> done = each({at / sector_bytes, sectors, sectors.subspan(before, count)});
      if (!done) return moved_or(moved, done.error());
      at += *done;
      moved += *done;
      if (*done < count) return moved_or(moved, Errno::BadAddress);
    }
    return moved;
  }

  BlockDevice& blocks_;
};

}  // namespace

void register_block_device(const NamedBlockDevice& named) { named_devices.push_back(named); }

std::span<const NamedBlockDevice> block_devices() { return named_devices; }

BlockDevice* find_block_device(u32 device) {
  const auto found = std::ranges::find(named_devices, device, &NamedBlockDevice::device);
  return found != named_devices.end() ? found->blocks : nullptr;
}

Ref<File> open_block_file(BlockDevice& blocks) { return Ref<File>(new BlockFile(blocks)); }

}  // namespace pulse
