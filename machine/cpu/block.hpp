// Decoded blocks: straight runs of instructions within one page, found by physical address and mode.
#pragma once

#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/types.hpp"
#include "machine/cpu/operation.hpp"

namespace vitrine {

/// What decoding and addressing depend on besides the bytes. Part of a block's key.
struct CodeMode {
  u8 value = 0;
  // Bits 0-1: code size (0: 16, 1: 32, 2: 64); 2: stack size is 32 (SS.B) outside 64-bit mode; 3: all data segments are
  // flat (base 0, limit 4 GiB, read-write) and CS is too; 4: CPL 3 (page permissions of the fetch); 5: real-address or
  // virtual-8086 mode.
  static constexpr u8 size_mask = 3, code16 = 0, code32 = 1, code64 = 2, stack32 = 4, flat = 8, user = 16, real = 32;
  [[nodiscard]] u8 code_size() const { return value & size_mask; }
  [[nodiscard]] bool is64() const { return code_size() == code64; }
  [[nodiscard]] bool has(u8 bits) const { return (value & bits) != 0; }
  bool operator==(const CodeMode&) const = default;
};

struct Block {
  u64 physical;         ///< of the first byte; ~0 once the block is stale
  u64 second_physical;  ///< page address of the rest, when the one instruction crosses into another page; else ~0
  Block* hash_next;
  Block* page_next;  ///< next block that begins in the same physical page
  CodeMode mode;
  u8 bytes;  ///< length of the code
  u8 count;  ///< instructions; the operation behind them ends the block if no branch does
  /// With a probe: the handlers of the operations themselves, where `operations` has one that calls the probe first.
  /// Null if there is none such.
  const Handler* inner;
  Operation operations[];

  [[nodiscard]] bool crosses() const { return second_physical != ~u64{0}; }
};
static_assert(sizeof(Block) % alignof(Operation) == 0);

inline constexpr unsigned most_block_instructions = 48;
inline constexpr unsigned most_block_bytes = 240;
/// Operations that follow the last instruction: end-of-block or two link slots.
inline constexpr unsigned block_tail_operations = 3;

/// Which CPUs of a machine hold decoded code of which physical pages. Not machine state.
class CodeOwners {
 public:
  /// A bit for each CPU.
  [[nodiscard]] u64 of(u64 physical) const {
    const auto found = owners_.find(physical >> 12);
    return found == owners_.end() ? 0 : found->second;
  }
  void add(u64 physical, u8 cpu) { owners_[physical >> 12] |= u64{1} << cpu; }
  void remove(u64 physical, u8 cpu) {
    const auto found = owners_.find(physical >> 12);
    if (found == owners_.end()) return;
    found->second &= ~(u64{1} << cpu);
    if (found->second == 0) owners_.erase(found);
  }

 private:
  std::unordered_map<u64, u64> owners_;  // looked up only, never walked
};

/// All blocks of one CPU and the map from physical pages to them. Nothing here is machine state: it may be dropped at
/// any time.
class BlockCache {
 public:
  /// `cpu`: 0..63, whose blocks these are. `cpus`: how many there are; they share the memory that blocks may take.
  BlockCache(CodeOwners& owners, u8 cpu, unsigned cpus);

  [[nodiscard]] Block* find(u64 physical, CodeMode mode) const {
    for (Block* block = buckets_[bucket(physical, mode)]; block != nullptr; block = block->hash_next) {
      if (block->physical == physical && block->mode == mode) return block;
    }
    return nullptr;
  }

  /// Space for a block with `count` instructions; null when the arena is full (then clear() at a safe moment).
  [[nodiscard]] Block* allocate(unsigned count);
  /// Enters a finished block. Marks its lines as code.
  void insert(Block* block);

  /// Does the page hold code that this CPU has decoded?
  [[nodiscard]] bool has_code(u64 physical) const { return pages_.contains(physical >> 12); }
  /// Do these bytes (which may cross into the next page) touch a 64-byte line with decoded code?
  [[nodiscard]] bool touches_code(u64 physical, u64 size) const;
  /// Makes all blocks stale that begin in, or reach into, a page of this range. Returns whether there were any.
  bool invalidate(u64 physical, u64 size);
  void clear();

 private:
  struct CodePage {
    Block* first = nullptr;
    u64 lines = 0;         ///< bit n: 64-byte line n holds code
    bool reached = false;  ///< a block of the page before reaches into this one
  };
  static std::size_t bucket(u64 physical, CodeMode mode) {
    return ((physical ^ (physical >> 16)) + mode.value * 0x9E37u) & (bucket_count - 1);
  }
  void unlink(Block* block);

  static constexpr std::size_t bucket_count = 1u << 16;
  static constexpr std::size_t most_arena_bytes = std::size_t{64} << 20;
  static constexpr std::size_t least_arena_bytes = std::size_t{8} << 20;

  struct Free {
    void operator()(u8* memory) const { std::free(memory); }
  };
  CodeOwners& owners_;
  u8 cpu_;
  std::size_t arena_bytes_;
  std::vector<Block*> buckets_;
  std::unordered_map<u64, CodePage> pages_;
  std::unique_ptr<u8, Free> arena_;
  std::size_t used_ = 0;
};

/// Through which linear page each physical page of code is run. Links out of a page rely on what is mapped behind it,
/// so a page that is mapped twice at the same time must have none. Not machine state.
class CodeViews {
 public:
  /// All translations are gone: whatever was mapped may be mapped elsewhere now.
  void forget() { ++epoch_; }
  /// The TLB got to know that `linear` shows `physical`. True if another linear page may show it too, for the first
  /// time: then links out of it are stale.
  [[nodiscard]] bool add(u64 physical, u64 linear);
  /// Is the page known to be mapped twice?
  [[nodiscard]] bool aliased(u64 physical) const;

 private:
  struct View {
    u64 epoch = 0;
    u64 linear_page = 0;
    bool aliased = false;
  };
  std::unordered_map<u64, View> views_;  // by physical page; looked up only, never walked
  u64 epoch_ = 1;
};

}  // namespace vitrine
