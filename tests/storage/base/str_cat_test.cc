#include "storage/base/str_cat.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace varve {
namespace {

TEST(StrCatTest, TakesEveryKindOfString) {
  const std::string_view view = std::string_view("view and more").substr(0, 4);
  const std::string text = "string";
  EXPECT_EQ(StrCat(view, " ", text, " ", absl::string_view("absl"), 7, -1, "!"),
            "view string absl7-1!");
  EXPECT_EQ(StrCat(std::string_view()), "");
  EXPECT_EQ(StrCat(std::string_view("a\0b", 3)), std::string("a\0b", 3));
}

TEST(StrCatTest, ViewsConvertBothWays) {
  const std::string_view view("bytes\0more", 10);
  EXPECT_EQ(ToStd(ToAbsl(view)), view);
  EXPECT_EQ(ToAbsl(view).data(), view.data());
}

}  // namespace
}  // namespace varve
