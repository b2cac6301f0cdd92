#include "storage/base/json_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/utf8.h"

namespace varve {
namespace {

std::string Escaped(std::string_view text, const JsonEscapes& escapes = {}) {
  std::string out;
  AppendJsonEscaped(&out, text, escapes);
  return out;
}

TEST(JsonTextTest, JsonStringsAreEscaped) {
  EXPECT_EQ(JsonObject().Add("a", "q\"b\\n\n").Add("n", uint64_t{7}).Line(),
            "{\"a\":\"q\\\"b\\\\n\\u000a\",\"n\":7}\n");
}

TEST(JsonTextTest, OnlyWhatMustBeIsEscapedUnlessSomebodyAsks) {
  EXPECT_EQ(Escaped("\b\f\n\r\t\x1f"), "\\u0008\\u000c\\u000a\\u000d\\u0009\\u001f");
  EXPECT_EQ(Escaped("/\x7f caf\xc3\xa9 \xf0\x9f\x98\x80"), "/\x7f caf\xc3\xa9 \xf0\x9f\x98\x80");
  EXPECT_EQ(Escaped("a\xff\xe2\x82z"), "a\xff\xe2\x82z");
}

TEST(JsonTextTest, LettersStandForTheCharactersThatAreAskedFor) {
  EXPECT_EQ(Escaped("\b\f\n\r\t\x1f", {.by_letter = kJsonLetters}), "\\b\\f\\n\\r\\t\\u001f");
  EXPECT_EQ(Escaped("\b\n\"\\", {.by_letter = "\n"}), "\\u0008\\n\\\"\\\\");
}

TEST(JsonTextTest, HiddenCharactersAreEscaped) {
  const JsonEscapes escapes{.by_letter = "",
                            .hidden = [](uint32_t code) { return code == 0x7f || code == 0x2028; }};
  EXPECT_EQ(Escaped("\x7f\xe2\x80\xa8\xe2\x80\xa9", escapes), "\\u007f\\u2028\xe2\x80\xa9");
}

TEST(JsonTextTest, BytesThatAreNotUtf8AreReplacedOrShown) {
  // A lone continuation, an overlong slash, a surrogate, past U+10FFFF, a cut sequence.
  const std::string bad = "\x80\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82";
  std::string replaced;
  for (size_t i = 0; i < bad.size(); ++i) replaced += "\\ufffd";
  EXPECT_EQ(Escaped(bad, {.by_letter = "", .bad_bytes = JsonEscapes::BadBytes::kReplaced}),
            replaced);
  EXPECT_EQ(
      Escaped("\x80\xc3\xa9\xff", {.by_letter = "", .bad_bytes = JsonEscapes::BadBytes::kHex}),
      "\\x80\xc3\xa9\\xff");
}

TEST(JsonTextTest, ArraysAndObjectsNest) {
  EXPECT_EQ(JsonArray().Text(), "[]");
  EXPECT_EQ(JsonObject().Text(), "{}");
  const JsonEscapes letters{.by_letter = kJsonLetters};
  EXPECT_EQ(JsonObject(letters)
                .Add("a\n", std::vector<std::string>{"x", "\n"})
                .Add("b", true)
                .AddJson("c", JsonArray().Add("y").AddJson("{}").AddJson("1").Text())
                .Text(),
            "{\"a\\n\":[\"x\",\"\\n\"],\"b\":true,\"c\":[\"y\",{},1]}");
}

TEST(Utf8Test, EndsOfEachLength) {
  const std::vector<std::pair<std::string_view, uint32_t>> characters = {
      {"\x7f", 0x7f},
      {"\xc2\x80", 0x80},
      {"\xdf\xbf", 0x7ff},
      {"\xe0\xa0\x80", 0x800},
      {"\xed\x9f\xbf", 0xd7ff},
      {"\xee\x80\x80", 0xe000},
      {"\xf0\x90\x80\x80", 0x10000},
      {"\xf4\x8f\xbf\xbf", 0x10ffff}};
  for (const auto& [text, code] : characters) {
    const DecodedCharacter first = DecodeFirst(text);
    EXPECT_TRUE(first.valid);
    EXPECT_EQ(first.code, code);
    EXPECT_EQ(first.bytes, text.size());
  }
  for (const std::string_view text :
       {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xff"}) {
    EXPECT_FALSE(DecodeFirst(text).valid);
    EXPECT_EQ(DecodeFirst(text).bytes, 1u);
  }
}

}  // namespace
}  // namespace varve
