#include <algorithm>
#include <filesystem>

#include "tools/check_house/rules.hpp"

namespace vitrine::tools {
namespace {

bool exists(std::string_view path, const Files& tree) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (tree.contains(path)) return true;
  const std::string folder = std::string(path) + '/';
  const auto first_inside = tree.lower_bound(folder);
  return first_inside != tree.end() && first_inside->starts_with(folder);
}

/// Names a place of ours: only characters of our paths, and its first folder is one of the tree's (what a build makes
/// is not)
bool looks_like_our_path(std::string_view text, const Files& tree) {
  const auto is_path_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-+./").contains(c);
  };
  const auto slash = text.find('/');
  return slash != text.npos && slash > 0 && std::ranges::all_of(text, is_path_character) &&
         exists(text.substr(0, slash), tree);
}

std::string from_folder_of(std::string_view document, std::string_view target) {
  return (std::filesystem::path(document).parent_path() / target).lexically_normal().generic_string();
}

void check_quoted(std::string_view file, int number, std::string_view line, const Files& tree,
                  std::vector<Finding>& findings) {
  for (auto begin = line.find('`'); begin != line.npos; begin = line.find('`', begin)) {
    const auto end = line.find('`', ++begin);
    if (end == line.npos) return;
    const std::string_view text = line.substr(begin, end - begin);
    if (looks_like_our_path(text, tree) && !exists(text, tree)) {
      findings.push_back({std::string(file), number, std::string(text) + " does not exist"});
    }
    begin = end + 1;
  }
}

void check_links(std::string_view file, int number, std::string_view line, const Files& tree,
                 std::vector<Finding>& findings) {
  for (auto begin = line.find("]("); begin != line.npos; begin = line.find("](", begin)) {
    begin += 2;
    const std::string_view target = line.substr(begin, line.find_first_of(")#", begin) - begin);
    if (target.empty() || target.contains("://") || target.starts_with("mailto:")) continue;
    if (!exists(from_folder_of(file, target), tree)) {
      findings.push_back({std::string(file), number, "link to " + std::string(target) + ", which does not exist"});
    }
  }
}

}  // namespace

std::vector<Finding> check_paths(std::string_view file, std::string_view contents, const Files& tree) {
  std::vector<Finding> findings;
  int number = 0;
  bool fenced = false;
  while (!contents.empty()) {
    ++number;
    const auto end = std::min(contents.find('\n'), contents.size());
    const std::string_view line = contents.substr(0, end);
    contents.remove_prefix(std::min(end + 1, contents.size()));
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced) continue;
    check_quoted(file, number, line, tree, findings);
    check_links(file, number, line, tree, findings);
  }
  return findings;
}

}  // namespace vitrine::tools
