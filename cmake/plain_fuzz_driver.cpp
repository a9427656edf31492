// Runs a fuzz target without libFuzzer: every file of the folders and files named as arguments, mutations of each, and
// inputs of random bytes. The same inputs every time.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int mutations_per_seed = 200;
constexpr int random_inputs = 500;
constexpr std::size_t max_random_size = 1024;

Bytes contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Bytes> seeds_of(int count, char** names) {
  std::vector<std::filesystem::path> paths;
  for (int i = 1; i < count; ++i) {
    if (!std::filesystem::is_directory(names[i])) {
      paths.emplace_back(names[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(names[i])) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);  // a folder has no order of its own
  std::vector<Bytes> seeds;
  seeds.reserve(paths.size());
  for (const auto& path : paths) seeds.push_back(contents(path));
  return seeds;
}

Bytes mutated(Bytes input, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return random() % limit; };
  for (auto changes = 1 + below(8); changes > 0 && !input.empty(); --changes) {
    switch (below(3)) {
      case 0:
        input[below(input.size())] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        input[below(input.size())] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      default:
        input.resize(below(input.size() + 1));
    }
  }
  return input;
}

void feed(const Bytes& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

}  // namespace

int main(int count, char** names) {
  std::mt19937 random(1);
  const std::vector<Bytes> seeds = seeds_of(count, names);
  for (const Bytes& seed : seeds) {
    feed(seed);
    for (int i = 0; i < mutations_per_seed; ++i) feed(mutated(seed, random));
  }
  for (int i = 0; i < random_inputs; ++i) {
    Bytes input(random() % max_random_size);
    std::ranges::generate(input, [&] { return static_cast<std::uint8_t>(random()); });
    feed(input);
  }
  std::printf("%zu seeds, %zu inputs\n", seeds.size(),
              seeds.size() * (mutations_per_seed + 1) + static_cast<std::size_t>(random_inputs));
}
