#include "daemon/http/reply.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace varve {
namespace {

std::string Json(std::string_view text) {
  std::string out;
  AppendJsonString(&out, text, kReplyEscapes);
  return out;
}

TEST(JsonString, EscapesWhatItMust) {
  EXPECT_EQ(Json(""), "\"\"");
  EXPECT_EQ(Json("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(Json(std::string_view("\0\n\x7f", 3)), "\"\\u0000\\u000a\\u007f\"");
}

TEST(JsonString, KeepsUtf8AndReplacesTheRest) {
  EXPECT_EQ(Json("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"");
  // Cut short, over-long, surrogate, above U+10FFFF, stray.
  for (const char* bytes : {"\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    const std::string json = Json(bytes);
    EXPECT_THAT(json, testing::HasSubstr("\\ufffd")) << json;
    for (const char c : json) EXPECT_GE(c, 0x20);
  }
}

TEST(Reply, SeveralPartsAreOneBodyAndCountAsMemory) {
  Reply reply;
  reply.source = nullptr;  // nothing is read here
  reply.body = "end";
  const size_t before = reply.held_bytes();
  const std::string head(100, 'h');
  reply.AddPart(head, {1000, 50});
  reply.AddPart(head, {10, 5});
  EXPECT_EQ(reply.length_bytes(), 2 * head.size() + 55 + 3);
  EXPECT_GE(reply.held_bytes(), before + 2 * head.size());
  EXPECT_EQ(reply.PieceAt(0).text, head);
  EXPECT_EQ(reply.PieceAt(99).text, "h");
  EXPECT_EQ(reply.PieceAt(100).text, "");
  EXPECT_EQ(reply.PieceAt(100).extent.offset_bytes, 1000u);
  EXPECT_EQ(reply.PieceAt(149).extent.offset_bytes, 1049u);
  EXPECT_EQ(reply.PieceAt(149).extent.length_bytes, 1u);
  EXPECT_EQ(reply.PieceAt(150).text, head);
  EXPECT_EQ(reply.PieceAt(252).extent.offset_bytes, 12u);
  EXPECT_EQ(reply.PieceAt(252).extent.length_bytes, 3u);
  EXPECT_EQ(reply.PieceAt(255).text, "end");
  EXPECT_EQ(reply.PieceAt(257).text, "d");
  EXPECT_EQ(reply.PieceAt(258).text, "");
  EXPECT_EQ(reply.PieceAt(258).extent.length_bytes, 0u);
}

TEST(ErrorReply, IsTheJsonOfTheSpecification) {
  const Reply reply = ErrorReply(404, "BLOB_UNKNOWN", "no \"such\" blob", R"({"digest":"x"})");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.headers, "Content-Type: application/json\r\n");
  EXPECT_EQ(reply.body,
            "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\",\"message\":\"no \\\"such\\\" blob\","
            "\"detail\":{\"digest\":\"x\"}}]}\n");
}

}  // namespace
}  // namespace varve
