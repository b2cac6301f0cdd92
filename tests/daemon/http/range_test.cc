// Parts of blobs as clients ask for them: one, several, and more than is good for anybody; of blobs
// in a file, in a file that the kernel cannot send, and in the index.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/http/byte_range.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/http/fake_store.h"
#include "tests/daemon/http/http_client.h"
#include "tests/daemon/http/http_door.h"

namespace varve {
namespace {

struct Part {
  std::string content_range;
  std::string bytes;
};

// The parts of a multipart answer; empty when it is not well-formed to the last byte.
std::vector<Part> PartsOf(const HttpResponse& response) {
  constexpr std::string_view kType = "multipart/byteranges; boundary=";
  const std::string type = response.Header("content-type");
  if (type.substr(0, kType.size()) != kType) return {};
  const std::string delimiter = "\r\n--" + type.substr(kType.size());
  std::vector<Part> parts;
  std::string_view rest = response.body;
  while (true) {
    if (rest.substr(0, delimiter.size()) != delimiter) return {};
    rest.remove_prefix(delimiter.size());
    if (rest == "--\r\n") return parts;
    constexpr std::string_view kHead =
        "\r\nContent-Type: application/octet-stream\r\nContent-Range: ";
    if (rest.substr(0, kHead.size()) != kHead) return {};
    rest.remove_prefix(kHead.size());
    const size_t end = rest.find("\r\n\r\n");
    const size_t next = rest.find(delimiter);
    if (next == std::string_view::npos) return {};
    parts.push_back(
        {std::string(rest.substr(0, end)), std::string(rest.substr(end + 4, next - end - 4))});
    rest.remove_prefix(next);
  }
}

class HttpRanges : public testing::Test {
 protected:
  HttpRanges() : server_(StartDoor(store_)), client_(server_->port()) {}

  HttpResponse Get(const std::string& bytes, const std::string& range) {
    return client_.Do("GET", "/v2/a/blobs/" + DigestOf(bytes), {}, {{"Range", range}});
  }
  // Asks for `extents` of the blob and compares what comes.
  void ExpectParts(const std::string& bytes, const std::vector<Extent>& extents) {
    std::string range = "bytes=";
    for (const Extent& part : extents) {
      range += StrCat(range.size() > 6 ? "," : "", part.offset_bytes, "-",
                      part.offset_bytes + part.length_bytes - 1);
    }
    const HttpResponse response = Get(bytes, range);
    ASSERT_EQ(response.status, 206) << response.body;
    EXPECT_EQ(response.Header("content-length"), StrCat(response.body.size()));
    EXPECT_EQ(response.Header("docker-content-digest"), DigestOf(bytes));
    EXPECT_EQ(response.headers.count("content-type"), 1u);
    EXPECT_EQ(response.Header("content-range"), "");
    const std::vector<Part> parts = PartsOf(response);
    ASSERT_EQ(parts.size(), extents.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].content_range, ContentRange(extents[i], bytes.size()));
      ASSERT_TRUE(parts[i].bytes == bytes.substr(extents[i].offset_bytes, extents[i].length_bytes))
          << i;
    }
  }

  FakeStore store_;
  std::unique_ptr<HttpServer> server_;
  HttpClient client_;
};

TEST_F(HttpRanges, SeveralPartsComeInTheirOrder) {
  for (const bool hide : {false, true}) {
    store_.set_hide_descriptors(hide);
    for (const size_t size : {size_t{5000}, size_t{3 << 20}}) {
      const std::string bytes = TestBytes(size);
      ASSERT_EQ(PushBlob(client_, "a", bytes).status, 201);
      ExpectParts(bytes, {{0, 100}, {200, 100}});
      ExpectParts(bytes, {{4000, 1000}, {0, 1}, {1, 1}});
      ExpectParts(bytes, {{0, size - 1}, {size - 1, 1}});
      // The connection goes on as if nothing had been.
      EXPECT_TRUE(Get(bytes, "").body == bytes);
    }
  }
}

// As podman asks for the missing chunks of a layer.
TEST_F(HttpRanges, AsManyPartsAsPodmanAsksFor) {
  const std::string bytes = TestBytes(4 << 20);
  ASSERT_EQ(PushBlob(client_, "a", bytes).status, 201);
  std::vector<Extent> extents;
  for (size_t i = 0; i < kMaxRanges; ++i) extents.push_back({i * 4096, 1 + i % 4000});
  ExpectParts(bytes, extents);
}

TEST_F(HttpRanges, OnePartThatIsLeftIsNoMultipart) {
  const std::string bytes = TestBytes(5000);
  ASSERT_EQ(PushBlob(client_, "a", bytes).status, 201);
  const HttpResponse response = Get(bytes, "bytes=10-19,9000-9999");
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.Header("content-range"), "bytes 10-19/5000");
  EXPECT_EQ(response.Header("content-type"), "application/octet-stream");
  EXPECT_EQ(response.body, bytes.substr(10, 10));
}

TEST_F(HttpRanges, FloodsAreRefusedWithTheReason) {
  const std::string bytes = TestBytes(1 << 20);
  ASSERT_EQ(PushBlob(client_, "a", bytes).status, 201);
  std::string many = "bytes=0-0";
  for (size_t i = 0; i < kMaxRanges; ++i) many += StrCat(",", i + 1, "-", i + 1);
  std::string whole = "bytes=0-";
  for (int i = 1; i < 100; ++i) whole += ",0-";
  const std::string overlap = "the ranges overlap: together they are longer than the 1048576 bytes";
  const std::pair<std::string, std::string> cases[] = {
      {many, "more ranges than 1024 at once; ask for fewer"},
      {whole, overlap},
      {"bytes=0-,-1", overlap},
      {"bytes=2000000-,3000000-", "the range lies outside the 1048576 bytes of this blob"}};
  for (const auto& [range, why] : cases) {
    const HttpResponse refused = Get(bytes, range);
    EXPECT_EQ(refused.status, 416);
    EXPECT_NE(refused.body.find(why), std::string::npos) << refused.body;
    EXPECT_EQ(refused.Header("content-range"), StrCat("bytes */", bytes.size()));
  }
}

// Some versions of containerd ask so for every blob.
TEST_F(HttpRanges, TheEmptyBlobIsGivenWhole) {
  ASSERT_EQ(PushBlob(client_, "a", "").status, 201);
  const HttpResponse response = Get("", "bytes=0-");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("content-length"), "0");
  EXPECT_EQ(response.Header("content-range"), "");
}

}  // namespace
}  // namespace varve
