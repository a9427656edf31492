#include "tests/conformance/moo.hpp"

#include <cstring>
#include <string_view>

#include "tests/process.hpp"

namespace vitrine::conformance {

namespace {

/// What is left of a chunk. Reading past its end gives zeros and an empty rest.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  template <class T>
  T number() {
    T value{};
    const std::string_view bytes = take(sizeof(T));
    std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  struct Chunk {
    std::string_view name, contents;
  };
  Chunk chunk() {
    const std::string_view name = take(4);
    const auto size = number<u32>();
    return {name, take(size)};
  }

 private:
  std::string_view rest_;
};

void read_state(Reader reader, MooState& state) {
  while (!reader.empty()) {
    const Reader::Chunk chunk = reader.chunk();
    Reader contents(chunk.contents);
    if (chunk.name == "REGS") {
      const auto present = contents.number<u16>();
      for (unsigned i = 0; i < moo::register_count; ++i) {
        if ((present >> i & 1) != 0) state.registers[i] = contents.number<u16>();
      }
    } else if (chunk.name == "RAM ") {
      (void)contents.number<u32>();
      while (!contents.empty()) {
        const auto address = contents.number<u32>();
        state.memory.emplace_back(address, contents.number<u8>());
      }
    }
  }
}

MooTest read_test(Reader reader) {
  (void)reader.number<u32>();  // its index
  MooTest test;
  while (!reader.empty()) {
    const Reader::Chunk chunk = reader.chunk();
    Reader contents(chunk.contents);
    if (chunk.name == "NAME" || chunk.name == "BYTS") {
      const std::string_view text = contents.take(contents.number<u32>());
      if (chunk.name == "NAME") {
        test.name = text;
      } else {
        test.bytes.assign(text.begin(), text.end());
      }
    } else if (chunk.name == "INIT") {
      read_state(contents, test.before);
      test.after.registers = test.before.registers;  // the file has only those that change
    } else if (chunk.name == "FINA") {
      read_state(contents, test.after);
    }
  }
  return test;
}

}  // namespace

std::expected<std::vector<MooTest>, std::string> read_moo(const std::filesystem::path& path) {
  const tests::Result unpacked = tests::run({"gzip", "-dc", path.string()});
  if (unpacked.status != 0 || !unpacked.out.starts_with("MOO ")) {
    return std::unexpected(path.string() + " is not a gzipped MOO file.");
  }
  std::vector<MooTest> tests;
  Reader reader(unpacked.out);
  while (!reader.empty()) {
    const Reader::Chunk chunk = reader.chunk();
    if (chunk.name == "TEST") tests.push_back(read_test(Reader(chunk.contents)));
  }
  return tests;
}

}  // namespace vitrine::conformance
