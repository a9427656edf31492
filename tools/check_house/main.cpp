// check-house: reads the names of the tree's files on standard input, one a line, and prints what breaks a rule of the
// house. Status: 0 nothing, 1 something, 66 a file can't be read.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tools/check_house/rules.hpp"

int main() {
  using namespace vitrine::tools;
  Files tree;
  for (std::string name; std::getline(std::cin, name);) tree.insert(name);

  bool clean = true;
  for (const std::string& name : tree) {
    const bool is_source = name.ends_with(".cpp") || name.ends_with(".hpp");
    if (!is_source && !name.ends_with(".md")) continue;
    std::ifstream file(name, std::ios::binary);
    const std::string contents{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
      std::fprintf(stderr, "check-house: can't read %s\n", name.c_str());
      return 66;
    }
    for (const Finding& finding : is_source ? check_includes(name, contents) : check_paths(name, contents, tree)) {
      std::printf("%s:%d: %s\n", finding.file.c_str(), finding.line, finding.text.c_str());
      clean = false;
    }
  }
  return clean ? 0 : 1;
}
