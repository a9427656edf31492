#include "kernel/fs/tmpfs.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kernel/host/host_pages.hpp"
#include "kernel/memory/kernel_buffer.hpp"

namespace pulse {
namespace {

struct TmpfsTest : testing::Test {
  tests::HostPages pages;
  Ref<Node> root = make_tmpfs(pages);
  static Ref<Node> directory(Node& in, std::string_view name) { return *in.make(name, node_mode::directory | 0755, 0); }
};

TEST_F(TmpfsTest, a_file_takes_what_there_is_and_gives_it_back) {
  const Ref<Node> file = *root->make("f", 0644, 0);
  std::vector<u8> bytes(6 * 4096);
  KernelBuffer all(bytes.data(), bytes.size());
  EXPECT_EQ(*file->write_at(0, all), 4u * 4096);
  EXPECT_EQ(file->write_at(4 * 4096, all).error(), Errno::NoSpace);
  ASSERT_TRUE(file->resize(0));
  EXPECT_EQ(pages.left, 4);
}

TEST_F(TmpfsTest, directories_above_a_removed_one_live_as_long_as_it) {
  Ref<Node> a = directory(*root, "a");
  const Ref<Node> b = directory(*a, "b");
  ASSERT_TRUE(a->remove("b", Node::Removal::Directory));
  ASSERT_TRUE(root->remove("a", Node::Removal::Directory));
  a = {};
  const Ref<Node> above = b->parent();
  ASSERT_TRUE(above);
  EXPECT_EQ(above->links, 0u);
  EXPECT_EQ(above->entry(0).error(), Errno::NoEntry);
  EXPECT_EQ(above->parent(), root);
}

TEST_F(TmpfsTest, nothing_is_moved_into_a_removed_directory) {
  const Ref<Node> a = directory(*root, "a");
  ASSERT_TRUE(root->make("f", 0644, 0));
  ASSERT_TRUE(root->remove("a", Node::Removal::Directory));
  EXPECT_EQ(root->rename("f", *a, "f").error(), Errno::NoEntry);
  EXPECT_TRUE(root->look_up("f"));
}

TEST_F(TmpfsTest, a_directory_outlives_its_file_system) {
  const Ref<Node> b = directory(*directory(*root, "a"), "b");
  root = {};
  EXPECT_FALSE(b->parent());
}

TEST_F(TmpfsTest, removed_directories_end_one_after_the_other) {
  constexpr int deep = 100'000;
  std::vector<Ref<Node>> chain{root};
  for (int i = 0; i < deep; ++i) chain.push_back(directory(*chain.back(), "d"));
  Ref<Node> innermost = chain.back();
  while (chain.size() > 1) {
    chain.pop_back();
    ASSERT_TRUE(chain.back()->remove("d", Node::Removal::Directory));
  }
  innermost = {};  // would use up the stack, were each ended by the one below
  EXPECT_EQ(root->links, 2u);
}

}  // namespace
}  // namespace pulse
