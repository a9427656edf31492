// The rules of the house that a compiler doesn't know: which room may include which, and that documents name real
// paths.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::tools {

/// Something that breaks a rule.
struct Finding {
  std::string file;
  int line = 0;
  std::string text;

  bool operator==(const Finding&) const = default;
};

/// Every file of the tree, as paths from its root.
using Files = std::set<std::string, std::less<>>;

/// What `file`, C++ source with these contents, includes against the table of rooms (rooms.cpp). Includes are from the
/// root of the tree.
[[nodiscard]] std::vector<Finding> check_includes(std::string_view file, std::string_view contents);

/// The paths that `file`, a Markdown document with these contents, names and that don't exist: targets of links, and
/// what stands in `back quotes` and begins with a folder of the tree. What a build makes (build/, .guests/) is let
/// pass, as is everything in fenced blocks.
[[nodiscard]] std::vector<Finding> check_paths(std::string_view file, std::string_view contents, const Files& tree);

}  // namespace vitrine::tools
