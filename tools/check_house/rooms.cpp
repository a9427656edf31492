#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "tools/check_house/rules.hpp"

namespace vitrine::tools {
namespace {

/// Which headers of the C++ library and the system a room may use.
enum class Outside {
  Nothing,  ///< only what computes: no files, threads, clocks, randomness
  System,   ///< all
};

struct Room {
  std::string_view folder;
  Outside outside;
  std::vector<std::string_view> uses;  ///< beside itself
};

// The table of ARCHITECTURE.md. A folder inside a room belongs to that room unless it stands here itself.
const std::vector<Room>& rooms() {
  static const std::vector<std::string_view> machine = {
      "base",         "spec",          "abi", "machine/core", "machine/cpu", "machine/jit", "machine/devices",
      "machine/boot", "machine/boards"};
  static const auto and_also = [](std::vector<std::string_view> folders, std::initializer_list<std::string_view> more) {
    folders.insert(folders.end(), more);
    return folders;
  };
  static const std::vector<Room> table = {
      {"base", Outside::Nothing, {}},
      {"spec", Outside::Nothing, {"base"}},
      {"abi", Outside::Nothing, {"base"}},
      {"machine/core", Outside::Nothing, {"base", "spec"}},
      {"machine/cpu", Outside::Nothing, {"base", "spec", "abi", "machine/core"}},
      {"machine/jit", Outside::Nothing, {"base", "spec", "machine/core", "machine/cpu"}},
      {"machine/devices", Outside::Nothing, {"base", "spec", "abi", "machine/core"}},
      {"machine/boot", Outside::Nothing, {"base", "spec", "machine/core"}},
      {"machine/boards", Outside::Nothing, machine},
      {"observe", Outside::Nothing, {"base", "spec", "machine/core", "machine/cpu"}},
      {"timetravel", Outside::Nothing, {"base", "spec", "machine/core", "machine/cpu"}},
      {"debug", Outside::Nothing, {"base", "spec", "machine/core", "machine/cpu"}},
      {"host", Outside::System, {"base", "machine/core"}},
      {"apps", Outside::System, and_also(machine, {"observe", "timetravel", "debug", "host"})},
      {"firmware", Outside::Nothing, {"base", "spec", "abi"}},
      {"kernel", Outside::Nothing, {"base", "spec", "abi", "kernel/host"}},
      {"kernel/host", Outside::System, {"base", "kernel"}},  // what its tests stand on
      {"user", Outside::Nothing, {"base", "abi"}},
      {"tools", Outside::System, and_also(machine, {"abi", "observe", "host"})},
      {"tests", Outside::System,
       and_also(machine, {"abi", "kernel", "kernel/host", "observe", "timetravel", "debug", "host", "apps", "tools"})},
      {"bench", Outside::System,
       and_also(machine, {"abi", "observe", "timetravel", "debug", "host", "tools", "tests"})},
      {"cmake", Outside::System, {}},
  };
  return table;
}

// Headers by which the outside world gets in. The first group a unit test may use: it is no part of the machine.
constexpr auto for_tests_only =
    std::to_array<std::string_view>({"filesystem", "fstream", "iostream", "random", "chrono", "ctime", "time.h"});
constexpr auto for_systems_only = std::to_array<std::string_view>({"atomic",      "barrier",    "condition_variable",
                                                                   "csignal",     "future",     "latch",
                                                                   "mutex",       "semaphore",  "shared_mutex",
                                                                   "stop_token",  "syncstream", "thread",
                                                                   "dirent.h",    "dlfcn.h",    "fcntl.h",
                                                                   "poll.h",      "pthread.h",  "sched.h",
                                                                   "semaphore.h", "signal.h",   "spawn.h",
                                                                   "termios.h",   "ucontext.h", "unistd.h"});
constexpr auto for_systems_only_folders =
    std::to_array<std::string_view>({"sys/", "linux/", "asm/", "arpa/", "net/", "netinet/"});

bool contains(const auto& names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

bool is_inside(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

const Room* room_of(std::string_view path) {
  const Room* found = nullptr;
  for (const Room& room : rooms()) {
    if (is_inside(path, room.folder) && (!found || room.folder.size() > found->folder.size())) found = &room;
  }
  return found;
}

/// machine/devices/pic8259 for what is inside; nothing for what all devices share.
std::optional<std::string_view> chip_of(std::string_view path) {
  constexpr std::string_view devices = "machine/devices/";
  if (!path.starts_with(devices)) return std::nullopt;
  const auto end = path.find('/', devices.size());
  if (end == path.npos) return std::nullopt;
  return path.substr(0, end);
}

struct Include {
  std::string_view path;
  bool quoted = false;
};

std::optional<Include> include_in(std::string_view line) {
  const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  const auto skip = [&](std::string_view word) {
    skip_blanks();
    if (!line.starts_with(word)) return false;
    line.remove_prefix(word.size());
    return true;
  };
  if (!skip("#") || !skip("include")) return std::nullopt;
  const bool quoted = skip("\"");
  if (!quoted && !skip("<")) return std::nullopt;
  return Include{.path = line.substr(0, line.find(quoted ? '"' : '>')), .quoted = quoted};
}

std::optional<std::string> problem_with_own(std::string_view file, const Room& room, std::string_view included) {
  const Room* other = room_of(included);
  if (!other) return "is not a path from the root of the tree into a room";
  if (const auto chip = chip_of(included); chip && room.folder == "machine/devices" && chip != chip_of(file)) {
    return "is another device's; devices meet only on the board";
  }
  if (other == &room || contains(room.uses, other->folder)) return std::nullopt;
  return std::string(room.folder) + " may not include " + std::string(other->folder);
}

std::optional<std::string> problem_with_system(std::string_view file, const Room& room, std::string_view included) {
  if (room.outside == Outside::System) return std::nullopt;
  const bool is_test = file.ends_with("_test.cpp");
  if (!is_test && contains(for_tests_only, included)) {
    return std::string(room.folder) + " computes only: no files, clocks or randomness of the host";
  }
  const bool in_folder = std::ranges::any_of(for_systems_only_folders,
                                             [&](std::string_view folder) { return included.starts_with(folder); });
  if (in_folder || contains(for_systems_only, included)) {
    return "the operating system is used in host, apps, tools, tests and bench only";
  }
  return std::nullopt;
}

}  // namespace

std::vector<Finding> check_includes(std::string_view file, std::string_view contents) {
  const Room* room = room_of(file);
  if (!room) return {{std::string(file), 1, "stands in no room (tools/check_house/rooms.cpp has the table)"}};
  std::vector<Finding> findings;
  int number = 0;
  while (!contents.empty()) {
    ++number;
    const auto end = std::min(contents.find('\n'), contents.size());
    const auto include = include_in(contents.substr(0, end));
    contents.remove_prefix(std::min(end + 1, contents.size()));
    if (!include) continue;
    const auto problem = include->quoted ? problem_with_own(file, *room, include->path)
                                         : problem_with_system(file, *room, include->path);
    if (problem) findings.push_back({std::string(file), number, std::string(include->path) + ": " + *problem});
  }
  return findings;
}

}  // namespace vitrine::tools
