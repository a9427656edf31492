// The trace file: the ledger's records on disk, compact, checked, and the same bytes for the same run.
//
// Layout (all integers little-endian; "varint" is LEB128; "string" is varint length + bytes):
//   magic    8 bytes  89 'V' 'T' 'R' 'C' 0D 0A 1A
//   version  u16      2; 1 has no block S
//   block*            type u8, payload length u32, CRC-32 (IEEE) of the payload u32, payload
// Block 'H', first and once: sources (varint count, strings), lines (varint count, then varint number + string),
// options
//   (varint count, then string + string), guest description (string), symbol file hint (string).
// Block 'R', any number: varint record count (at most 65536), then the records. Each stands for itself: what records
// are
//   predicted from starts anew with each block, so a damaged block costs only itself.
// Block 'S', at most one, right before 'E': names that were found in the guest's memory, as lines of System.map; those
//   of the addresses in the records. Any bytes.
// Block 'E', last and once: varint record count, u64 digest (digest.hpp), varint end time, varint end instruction
// count,
//   string stop reason, string its sentence, varint exit status, varint address of the next instruction (may be
//   absent), and if there are several CPUs varint their count (at most 64), then a varint for each: the same of it.
// A record: kind u8, varint mask of the fields that differ from their prediction (bit 0 time, 1 instructions, 2 id,
//   3 address, 4 other, 5 frame, 6 since, 7 extra, 8 vector, 9 pin, 10 detail, 11 source, 12 cpu, 13 privilege), then
//   the masked fields in this order. Fields 0..7: zigzag varint of (value - prediction) mod 2^64; 11: varint; others:
//   u8. Predictions: time, instructions and id from the record before, all others from the last record of the same
//   kind.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "machine/core/ledger.hpp"
#include "observe/byte_sink.hpp"
#include "observe/byte_source.hpp"
#include "observe/digest.hpp"

namespace vitrine {

struct TraceLine {
  u32 number = 0;  ///< ISA IRQ
  std::string name;
  bool operator==(const TraceLine&) const = default;
};

struct TraceOption {
  std::string name, value;
  bool operator==(const TraceOption&) const = default;
};

/// What stands before the records. Nothing in it may differ between two runs of the same thing.
struct TraceHeader {
  std::vector<std::string> sources;  ///< index is Record::source
  std::vector<TraceLine> lines;
  std::vector<TraceOption> options;
  std::string guest;    ///< what was run, for people
  std::string symbols;  ///< the --symbols argument, empty if none
  bool operator==(const TraceHeader&) const = default;
};

/// How the run ended. Also what a report needs beside the records.
struct RunEnd {
  u64 time = 0;  ///< virtual nanoseconds
  u64 instructions = 0;
  std::string
      reason;  ///< one word: until, power-off, reset, exit, time, instructions, triple-fault, halted, interrupted
  std::string sentence;  ///< the same for people
  u32 status = 0;        ///< the exit status of `vitrine run`
  u64 address = 0;       ///< linear address of the instruction that would have been next; 0: not known
  /// The same of each CPU; 0: it waits for a start-up message. Empty: there is one CPU, or it is not known. At most 64.
  std::vector<u64> cpus = {};
  bool operator==(const RunEnd&) const = default;
};

/// Writes a trace as the ledger's reader.
class TraceWriter final : public LedgerSink {
 public:
  TraceWriter(ByteSink& sink, const TraceHeader& header);
  void consume(std::span<const Record> records) override;
  /// Writes a block of names (lines as in System.map), unless there are none. At most once, right before finish().
  void add_symbols(std::string_view lines);
  /// Writes what is left and the end block. Call once, after Ledger::flush().
  void finish(const RunEnd& end);
  [[nodiscard]] u64 digest() const { return digest_.value(); }

 private:
  void encode(const Record& record);
  void flush_records();
  void block(u8 type, std::span<const u8> payload);

  ByteSink* sink_;
  Digest digest_;
  std::vector<Record> last_of_kind_;
  Record last_;
  std::vector<u8> encoded_;
  u64 total_ = 0;
  u32 in_block_ = 0;
};

enum class TraceError : u8 {
  None,
  NotATrace,      ///< the magic is missing
  WrongVersion,   ///< a version that this program does not know
  BadHeader,      ///< the header block is missing, damaged or cut off
  Truncated,      ///< the file ends inside a block
  NoEnd,          ///< the file ends between blocks: the run that wrote it did not finish
  BadChecksum,    ///< a block's bytes are not those that were written
  BadBlock,       ///< a block that no writer makes
  BadTotals,      ///< record count or digest differ from what the end block says
  TrailingBytes,  ///< something follows the end block
};
/// One clause for people, e.g. "the file ends in the middle of a block".
[[nodiscard]] std::string_view describe(TraceError error);

/// Reads a trace, a block at a time. Accepts any bytes.
class TraceReader {
 public:
  [[nodiscard]] static std::expected<TraceReader, TraceError> open(std::unique_ptr<ByteSource> source);
  /// From memory, which must outlive it.
  [[nodiscard]] static std::expected<TraceReader, TraceError> open(std::span<const u8> bytes);

  [[nodiscard]] const TraceHeader& header() const { return header_; }
  /// Names that the run found in the guest's memory; empty if there are none. Known from the beginning.
  [[nodiscard]] std::string_view symbols() const { return symbols_; }
  /// The next records, in order; empty at the end or at the first damage. Valid until the next call.
  std::span<const Record> next();
  /// Back to before the first record.
  void rewind();
  /// After next() was empty: None if all is there, else what is wrong. All that came before is good.
  [[nodiscard]] TraceError error() const { return error_; }
  /// The offset of the block in which the error is.
  [[nodiscard]] u64 error_offset() const { return error_offset_; }
  /// How the run ended. Without an end block: time and instructions of the last record that was read.
  [[nodiscard]] const RunEnd& end() const { return end_; }
  [[nodiscard]] u64 digest() const { return digest_.value(); }
  [[nodiscard]] u64 records_read() const { return total_; }

 private:
  struct Block {
    u8 type;
    std::span<const u8> payload;
  };
  explicit TraceReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  std::expected<Block, TraceError> next_block();
  std::span<const Record> stop(TraceError error);
  bool decode(std::span<const u8> payload);
  void look_for_symbols();
  bool read_end(std::span<const u8> payload, u64& records, u64& digest);

  std::unique_ptr<ByteSource> source_;
  u64 position_ = 0;
  u64 block_start_ = 0;
  u64 first_block_ = 0;  ///< behind the header
  TraceHeader header_;
  std::string symbols_;
  std::vector<Record> records_;
  std::vector<Record> last_of_kind_;
  Digest digest_;
  RunEnd end_;
  u64 total_ = 0;
  u64 error_offset_ = 0;
  TraceError error_ = TraceError::None;
  bool done_ = false;
};

}  // namespace vitrine
