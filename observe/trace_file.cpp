#include "observe/trace_file.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

namespace vitrine {

namespace {

constexpr std::array<u8, 8> magic = {0x89, 'V', 'T', 'R', 'C', 0x0D, 0x0A, 0x1A};
constexpr u16 version = 2, oldest_version = 1;
constexpr std::size_t block_prefix = 9;
constexpr u32 records_per_block = 4096;
constexpr u32 records_limit = 65536;
constexpr u64 cpus_limit = 64;
constexpr std::size_t block_limit = std::size_t{16} << 20;

/// Bits of a record's mask behind those of wide_fields.
enum Field : u32 { vector_bit = 8, pin_bit, detail_bit, source_bit, cpu_bit, privilege_bit, field_count };

/// [0]: what a byte does to the checksum; [n]: what it does n bytes later. Eight bytes are taken at a time.
constexpr std::array<std::array<u32, 256>, 8> crc_tables = [] {
  std::array<std::array<u32, 256>, 8> tables{};
  for (u32 i = 0; i < 256; ++i) {
    u32 value = i;
    for (int step = 0; step < 8; ++step) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0);
    tables[0][i] = value;
  }
  for (std::size_t n = 1; n < tables.size(); ++n) {
    for (u32 i = 0; i < 256; ++i) tables[n][i] = (tables[n - 1][i] >> 8) ^ tables[0][tables[n - 1][i] & 0xFF];
  }
  return tables;
}();

u32 crc32(std::span<const u8> bytes) {
  u32 crc = ~u32{0};
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    u64 word = 0;
    std::memcpy(&word, bytes.data(), 8);
    word ^= crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= crc_tables[7 - i][word >> (8 * i) & 0xFF];
  }
  for (const u8 byte : bytes) crc = (crc >> 8) ^ crc_tables[0][(crc ^ byte) & 0xFF];
  return ~crc;
}

constexpr u64 zigzag(u64 difference) {
  return (difference << 1) ^ static_cast<u64>(static_cast<i64>(difference) >> 63);
}
constexpr u64 unzigzag(u64 value) { return (value >> 1) ^ (~(value & 1) + 1); }

void put_varint(std::vector<u8>& out, u64 value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<u8>(value | 0x80));
  out.push_back(static_cast<u8>(value));
}
void put_fixed(std::vector<u8>& out, u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}
void put_string(std::vector<u8>& out, std::string_view text) {
  put_varint(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

/// Takes values from bytes that anybody may have written. After the first bad one, every value is 0 and good() is
/// false.
class Taker {
 public:
  explicit Taker(std::span<const u8> bytes) : bytes_(bytes) {}
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return position_ == bytes_.size(); }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }
  [[nodiscard]] const u8* here() const { return bytes_.data() + position_; }
  void skip(std::size_t count) { position_ += count; }

  u8 byte() {
    if (position_ >= bytes_.size()) return fail();
    return bytes_[position_++];
  }
  u64 varint() {
    u64 value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const u8 part = byte();
      value |= static_cast<u64>(part & 0x7F) << shift;
      if ((part & 0x80) == 0) return value;
    }
    return fail();
  }
  u64 fixed(unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value |= static_cast<u64>(byte()) << (8 * i);
    return value;
  }
  std::string string() {
    const u64 length = varint();
    if (length > left()) {
      fail();
      return {};
    }
    const auto* start = reinterpret_cast<const char*>(bytes_.data() + position_);
    position_ += static_cast<std::size_t>(length);
    return {start, static_cast<std::size_t>(length)};
  }
  /// A count of things that take at least one byte each.
  u64 count() {
    const u64 value = varint();
    if (value <= left()) return value;
    return fail();
  }

 private:
  u8 fail() {
    good_ = false;
    position_ = bytes_.size();
    return 0;
  }
  std::span<const u8> bytes_;
  std::size_t position_ = 0;
  bool good_ = true;
};

/// The same for one record, where all that it can take is known to be there.
class HastyTaker {
 public:
  explicit HastyTaker(const u8* start) : start_(start), next_(start) {}
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::size_t taken() const { return static_cast<std::size_t>(next_ - start_); }
  u8 byte() { return *next_++; }
  u64 varint() {
    u64 value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const u8 part = byte();
      value |= static_cast<u64>(part & 0x7F) << shift;
      if ((part & 0x80) == 0) return value;
    }
    good_ = false;
    return 0;
  }

 private:
  const u8* start_;
  const u8* next_;
  bool good_ = true;
};

/// The 64-bit fields in the order of their mask bits.
constexpr std::array<u64 Record::*, 8> wide_fields = {&Record::time,    &Record::instructions, &Record::id,
                                                      &Record::address, &Record::other,        &Record::frame,
                                                      &Record::since,   &Record::extra};

/// The prediction of each field: the record before, or the last of the same kind.
Record predict(const Record& before, const Record& same_kind) {
  Record predicted = same_kind;
  predicted.time = before.time;
  predicted.instructions = before.instructions;
  predicted.id = before.id;
  return predicted;
}

/// Kind, mask, eight wide fields, source: ten bytes at most for each varint; and five single bytes.
constexpr std::size_t most_record_bytes = 1 + 10 + 8 * 10 + 10 + 5;

template <class From>
bool take_record(From& from, const Record& last, std::vector<Record>& last_of_kind, Record& record) {
  const u8 kind = from.byte();
  const u64 mask = from.varint();
  if (mask >> field_count != 0) return false;
  record = predict(last, last_of_kind[kind]);
  record.kind = static_cast<RecordKind>(kind);
  for (u32 field = 0; field < wide_fields.size(); ++field) {
    if ((mask >> field & 1) != 0) record.*wide_fields[field] += unzigzag(from.varint());
  }
  if ((mask >> vector_bit & 1) != 0) record.vector = from.byte();
  if ((mask >> pin_bit & 1) != 0) record.pin = from.byte();
  if ((mask >> detail_bit & 1) != 0) record.detail = from.byte();
  if ((mask >> source_bit & 1) != 0) record.source = static_cast<u16>(from.varint());
  if ((mask >> cpu_bit & 1) != 0) record.cpu = from.byte();
  if ((mask >> privilege_bit & 1) != 0) record.privilege = from.byte();
  last_of_kind[kind] = record;
  return from.good();
}

}  // namespace

TraceWriter::TraceWriter(ByteSink& sink, const TraceHeader& header) : sink_(&sink), last_of_kind_(256) {
  std::vector<u8> start(magic.begin(), magic.end());
  put_fixed(start, version, 2);
  sink_->write(start);
  std::vector<u8> payload;
  put_varint(payload, header.sources.size());
  for (const std::string& source : header.sources) put_string(payload, source);
  put_varint(payload, header.lines.size());
  for (const TraceLine& line : header.lines) {
    put_varint(payload, line.number);
    put_string(payload, line.name);
  }
  put_varint(payload, header.options.size());
  for (const TraceOption& option : header.options) {
    put_string(payload, option.name);
    put_string(payload, option.value);
  }
  put_string(payload, header.guest);
  put_string(payload, header.symbols);
  block('H', payload);
}

void TraceWriter::block(u8 type, std::span<const u8> payload) {
  std::vector<u8> prefix;
  prefix.push_back(type);
  put_fixed(prefix, payload.size(), 4);
  put_fixed(prefix, crc32(payload), 4);
  sink_->write(prefix);
  sink_->write(payload);
}

void TraceWriter::consume(std::span<const Record> records) {
  for (const Record& record : records) {
    encode(record);
    if (++in_block_ == records_per_block) flush_records();
  }
  digest_.add(records);
  total_ += records.size();
}

void TraceWriter::encode(const Record& record) {
  Record& same_kind = last_of_kind_[static_cast<u8>(record.kind)];
  const Record predicted = predict(last_, same_kind);
  u32 mask = 0;
  for (u32 i = 0; i < wide_fields.size(); ++i) {
    if (record.*wide_fields[i] != predicted.*wide_fields[i]) mask |= 1u << i;
  }
  if (record.vector != predicted.vector) mask |= 1u << vector_bit;
  if (record.pin != predicted.pin) mask |= 1u << pin_bit;
  if (record.detail != predicted.detail) mask |= 1u << detail_bit;
  if (record.source != predicted.source) mask |= 1u << source_bit;
  if (record.cpu != predicted.cpu) mask |= 1u << cpu_bit;
  if (record.privilege != predicted.privilege) mask |= 1u << privilege_bit;

  encoded_.push_back(static_cast<u8>(record.kind));
  put_varint(encoded_, mask);
  for (u32 i = 0; i < wide_fields.size(); ++i) {
    if ((mask >> i & 1) != 0) put_varint(encoded_, zigzag(record.*wide_fields[i] - predicted.*wide_fields[i]));
  }
  if ((mask >> vector_bit & 1) != 0) encoded_.push_back(record.vector);
  if ((mask >> pin_bit & 1) != 0) encoded_.push_back(record.pin);
  if ((mask >> detail_bit & 1) != 0) encoded_.push_back(record.detail);
  if ((mask >> source_bit & 1) != 0) put_varint(encoded_, record.source);
  if ((mask >> cpu_bit & 1) != 0) encoded_.push_back(record.cpu);
  if ((mask >> privilege_bit & 1) != 0) encoded_.push_back(record.privilege);
  same_kind = record;
  last_ = record;
}

void TraceWriter::flush_records() {
  if (in_block_ == 0) return;
  std::vector<u8> payload;
  payload.reserve(encoded_.size() + 4);
  put_varint(payload, in_block_);
  payload.insert(payload.end(), encoded_.begin(), encoded_.end());
  block('R', payload);
  encoded_.clear();
  in_block_ = 0;
  last_ = Record{};
  std::ranges::fill(last_of_kind_, Record{});
}

void TraceWriter::add_symbols(std::string_view lines) {
  if (lines.empty()) return;
  flush_records();
  // What does not fit is cut off behind a line.
  if (lines.size() > block_limit) lines = lines.substr(0, lines.rfind('\n', block_limit - 1) + 1);
  block('S', {reinterpret_cast<const u8*>(lines.data()), lines.size()});
}

void TraceWriter::finish(const RunEnd& end) {
  flush_records();
  std::vector<u8> payload;
  put_varint(payload, total_);
  put_fixed(payload, digest_.value(), 8);
  put_varint(payload, end.time);
  put_varint(payload, end.instructions);
  put_string(payload, end.reason);
  put_string(payload, end.sentence);
  put_varint(payload, end.status);
  put_varint(payload, end.address);
  if (!end.cpus.empty()) put_varint(payload, end.cpus.size());
  for (const u64 address : end.cpus) put_varint(payload, address);
  block('E', payload);
}

std::string_view describe(TraceError error) {
  switch (error) {
    case TraceError::None:
      return "nothing is wrong";
    case TraceError::NotATrace:
      return "it is not a trace of vitrine";
    case TraceError::WrongVersion:
      return "it was written by another version of vitrine";
    case TraceError::BadHeader:
      return "its header is damaged or cut off";
    case TraceError::Truncated:
      return "it ends in the middle of a block";
    case TraceError::NoEnd:
      return "it has no end: the run that wrote it did not finish";
    case TraceError::BadChecksum:
      return "a block is damaged (its checksum is wrong)";
    case TraceError::BadBlock:
      return "a block makes no sense";
    case TraceError::BadTotals:
      return "its records are not those that its end block counts";
    case TraceError::TrailingBytes:
      return "something follows its end";
  }
  return "unknown";
}

std::expected<TraceReader, TraceError> TraceReader::open(std::span<const u8> bytes) {
  return open(std::make_unique<MemorySource>(bytes));
}

std::expected<TraceReader, TraceError> TraceReader::open(std::unique_ptr<ByteSource> source) {
  constexpr std::size_t start_size = magic.size() + 2;
  TraceReader reader(std::move(source));
  const std::span<const u8> start = reader.source_->read(0, start_size);
  if (start.size() < magic.size() || !std::ranges::equal(start.first(magic.size()), magic)) {
    return std::unexpected(TraceError::NotATrace);
  }
  if (start.size() < start_size) return std::unexpected(TraceError::BadHeader);
  const u64 found_version = Taker(start.subspan(magic.size())).fixed(2);
  if (found_version < oldest_version || found_version > version) return std::unexpected(TraceError::WrongVersion);
  reader.position_ = start_size;
  const auto header = reader.next_block();
  if (!header || header->type != 'H') return std::unexpected(TraceError::BadHeader);
  reader.first_block_ = reader.position_;

  Taker taker(header->payload);
  TraceHeader& to = reader.header_;
  for (u64 left = taker.count(); left > 0 && taker.good(); --left) to.sources.push_back(taker.string());
  for (u64 left = taker.count(); left > 0 && taker.good(); --left) {
    const u32 number = static_cast<u32>(taker.varint());
    to.lines.push_back({number, taker.string()});
  }
  for (u64 left = taker.count(); left > 0 && taker.good(); --left) {
    std::string name = taker.string();
    to.options.push_back({std::move(name), taker.string()});
  }
  to.guest = taker.string();
  to.symbols = taker.string();
  if (!taker.good() || !taker.at_end()) return std::unexpected(TraceError::BadHeader);
  reader.last_of_kind_.resize(256);
  reader.look_for_symbols();
  return reader;
}

std::expected<TraceReader::Block, TraceError> TraceReader::next_block() {
  block_start_ = position_;
  const std::span<const u8> start = source_->read(position_, block_prefix);
  if (start.size() < block_prefix) return std::unexpected(TraceError::Truncated);
  Taker prefix(start);
  const u8 type = prefix.byte();
  const u64 length = prefix.fixed(4);
  const u64 checksum = prefix.fixed(4);
  if (type != 'H' && type != 'R' && type != 'S' && type != 'E') return std::unexpected(TraceError::BadBlock);
  if (length > block_limit) return std::unexpected(TraceError::BadBlock);
  const std::span<const u8> payload = source_->read(position_ + block_prefix, static_cast<std::size_t>(length));
  if (payload.size() < length) return std::unexpected(TraceError::Truncated);
  if (crc32(payload) != checksum) return std::unexpected(TraceError::BadChecksum);
  position_ += block_prefix + payload.size();
  return Block{type, payload};
}

void TraceReader::look_for_symbols() {
  const auto start = position_;
  for (;;) {
    const std::span<const u8> next = source_->read(position_, block_prefix);
    if (next.size() < block_prefix) break;
    Taker prefix(next);
    const u8 type = prefix.byte();
    const u64 length = prefix.fixed(4);
    if (type == 'S') {
      if (const auto block = next_block()) symbols_.assign(block->payload.begin(), block->payload.end());
      break;
    }
    if (type != 'R' || length > block_limit) break;
    position_ += block_prefix + length;
  }
  position_ = start;
}

std::span<const Record> TraceReader::stop(TraceError error) {
  error_ = error;
  error_offset_ = block_start_;
  done_ = true;
  return {};
}

void TraceReader::rewind() {
  position_ = first_block_;
  digest_ = Digest();
  end_ = RunEnd();
  total_ = 0;
  error_ = TraceError::None;
  done_ = false;
}

std::span<const Record> TraceReader::next() {
  if (done_) return {};
  if (position_ == source_->size()) {
    block_start_ = position_;
    return stop(TraceError::NoEnd);
  }
  auto block = next_block();
  if (block && block->type == 'S') block = next_block();
  if (!block) return stop(block.error());
  if (block->type == 'R') {
    if (!decode(block->payload)) return stop(TraceError::BadBlock);
    digest_.add(records_);
    total_ += records_.size();
    end_.time = std::max(end_.time, records_.back().time);
    end_.instructions = std::max(end_.instructions, records_.back().instructions);
    return records_;
  }
  if (block->type != 'E') return stop(TraceError::BadBlock);
  u64 records = 0;
  u64 digest = 0;
  if (!read_end(block->payload, records, digest)) return stop(TraceError::BadBlock);
  if (records != total_ || digest != digest_.value()) return stop(TraceError::BadTotals);
  if (position_ != source_->size()) return stop(TraceError::TrailingBytes);
  done_ = true;
  return {};
}

bool TraceReader::decode(std::span<const u8> payload) {
  Taker taker(payload);
  const u64 count = taker.count();
  if (!taker.good() || count == 0 || count > records_limit) return false;
  records_.resize(static_cast<std::size_t>(count));
  std::ranges::fill(last_of_kind_, Record{});
  const Record none;
  const Record* last = &none;
  for (Record& record : records_) {
    if (taker.left() >= most_record_bytes) {
      HastyTaker hasty(taker.here());
      if (!take_record(hasty, *last, last_of_kind_, record)) return false;
      taker.skip(hasty.taken());
    } else if (!take_record(taker, *last, last_of_kind_, record)) {
      return false;
    }
    last = &record;
  }
  return taker.at_end();
}

bool TraceReader::read_end(std::span<const u8> payload, u64& records, u64& digest) {
  Taker taker(payload);
  RunEnd end;
  records = taker.varint();
  digest = taker.fixed(8);
  end.time = taker.varint();
  end.instructions = taker.varint();
  end.reason = taker.string();
  end.sentence = taker.string();
  end.status = static_cast<u32>(taker.varint());
  if (!taker.at_end()) end.address = taker.varint();
  const u64 cpus = taker.at_end() ? 0 : taker.count();
  if (cpus > cpus_limit) return false;
  for (u64 left = cpus; left > 0 && taker.good(); --left) end.cpus.push_back(taker.varint());
  if (!taker.good() || !taker.at_end()) return false;
  end_ = std::move(end);
  return true;
}

}  // namespace vitrine
