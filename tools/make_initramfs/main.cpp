// make-initramfs: writes the initramfs that Vitrine boots Linux with.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tools/make_initramfs/initramfs.hpp"

namespace {

using namespace vitrine::tools;
namespace fs = std::filesystem;

// As the command line of `vitrine` has them.
constexpr int usage = 64;
constexpr int file_trouble = 66;

using Problem = std::string;

std::expected<std::string, Problem> contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) return std::unexpected("can't read " + path.string());
  return bytes;
}

bool is_program(const fs::path& path) {
  return (fs::status(path).permissions() & fs::perms::owner_exec) != fs::perms::none;
}

std::expected<GuestFile, Problem> guest_file(std::string guest_path, const fs::path& path) {
  auto bytes = contents(path);
  if (!bytes) return std::unexpected(bytes.error());
  return GuestFile{std::move(guest_path), *std::move(bytes), Permissions(is_program(path) ? 0755 : 0644)};
}

struct Request {
  std::string output;
  std::string busybox;
  std::string applets;
  std::string tree;
  std::string init;
  std::vector<std::string> added;  // GUESTPATH=FILE
};

// In the order in which they count: --init, --add, then the tree.
std::expected<std::vector<std::pair<std::string, fs::path>>, Problem> named_files(const Request& request) {
  std::vector<std::pair<std::string, fs::path>> files;
  if (!request.init.empty()) files.emplace_back("init", request.init);
  for (const std::string& added : request.added) {
    const auto equals = added.find('=');
    if (equals == added.npos) return std::unexpected("--add wants GUESTPATH=FILE, not " + added);
    files.emplace_back(added.substr(0, equals), added.substr(equals + 1));
  }
  if (request.tree.empty()) return files;

  const auto tree_begins = static_cast<std::ptrdiff_t>(files.size());
  std::error_code error;
  for (fs::recursive_directory_iterator at(request.tree, error), end; !error && at != end; at.increment(error)) {
    if (at->is_regular_file()) files.emplace_back(fs::relative(at->path(), request.tree).string(), at->path());
  }
  if (error) return std::unexpected("can't read " + request.tree + ": " + error.message());
  std::sort(files.begin() + tree_begins, files.end());  // a folder has no order of its own
  return files;
}

std::expected<void, Problem> make(const Request& request) {
  const auto busybox = contents(request.busybox);
  if (!busybox) return std::unexpected(busybox.error());
  const auto applets = contents(request.applets);
  if (!applets) return std::unexpected(applets.error());
  const auto names = named_files(request);
  if (!names) return std::unexpected(names.error());

  InitramfsParts parts{.busybox = *busybox, .applets = *applets, .files = {}};
  for (const auto& [guest_path, path] : *names) {
    auto file = guest_file(guest_path, path);
    if (!file) return std::unexpected(file.error());
    parts.files.push_back(*std::move(file));
  }
  std::ofstream output(request.output, std::ios::binary);
  output << make_initramfs(parts) << std::flush;
  if (!output) return std::unexpected("can't write " + request.output);
  return {};
}

}  // namespace

int main(int count, char** arguments) {
  Request request;
  CLI::App app("Writes an initramfs: busybox, its applets, and the files given.", "make-initramfs");
  app.add_option("OUTPUT", request.output, "the archive to write")->required();
  app.add_option("--busybox", request.busybox, "the statically linked program")->required();
  app.add_option("--applets", request.applets, "what `busybox --list-full` prints")->required();
  app.add_option("--tree", request.tree, "a folder whose files go in at the same paths");
  app.add_option("--init", request.init, "the script to run as /init, in place of the tree's");
  app.add_option("--add", request.added, "GUESTPATH=FILE: one more file; takes the place of the tree's");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage;
  }
  if (const auto made = make(request); !made) {
    std::fprintf(stderr, "make-initramfs: %s\n", made.error().c_str());
    return file_trouble;
  }
}
