#include "daemon/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

// Standard error goes to a file while a test runs.
class LogTest : public testing::Test {
 protected:
  LogTest() : path_(StrCat(testing::TempDir(), "varve_log_", getpid())), saved_(::dup(2)) {
    const int file = ::open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
    ::dup2(file, 2);
    ::close(file);
  }
  ~LogTest() override {
    Restore();
    ::unlink(path_.c_str());
    ConfigureLog(LogFormat::kText, LogLevel::kInfo);
  }

  std::string Logged() {
    Restore();
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  // What one line shows for the value `value`.
  std::string Shown(LogFormat format, const std::string& value) {
    ConfigureLog(format, LogLevel::kInfo);
    Log(LogLevel::kInfo, "e", {{"k", value}});
    const std::string line = Logged();
    const std::string key = format == LogFormat::kText ? " k=" : "\"k\":";
    return line.substr(line.find(key) + key.size());
  }

 private:
  void Restore() {
    if (saved_ < 0) return;
    ::dup2(saved_, 2);
    ::close(saved_);
    saved_ = -1;
  }

  const std::string path_;
  int saved_;
};

TEST_F(LogTest, TextLine) {
  Log(LogLevel::kWarning, "push", {{"repository", "library/debian"}, {"bytes", "12"}});
  EXPECT_THAT(
      Logged(),
      MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z warning push "
                   "repository=library/debian bytes=12\n"));
}

TEST_F(LogTest, JsonLine) {
  ConfigureLog(LogFormat::kJson, LogLevel::kDebug);
  Log(LogLevel::kDebug, "push", {{"repository", "library/debian"}});
  EXPECT_THAT(Logged(), MatchesRegex("\\{\"time\":\"[0-9T:.-]+Z\",\"level\":\"debug\",\"event\":"
                                     "\"push\",\"repository\":\"library/debian\"\\}\n"));
}

TEST_F(LogTest, NumbersAreNumbersInJson) {
  ConfigureLog(LogFormat::kJson, LogLevel::kInfo);
  Log(LogLevel::kInfo, "push",
      {{"bytes", uint64_t{18446744073709551615u}}, {"status", 201}, {"ms", 1.25}, {"text", "12"}});
  EXPECT_THAT(Logged(), HasSubstr(",\"bytes\":18446744073709551615,\"status\":201,\"ms\":1.2,"
                                  "\"text\":\"12\"}\n"));
}

TEST_F(LogTest, AFileThatWasMovedAwayIsOpenedAgainByItsName) {
  const std::string path = StrCat(testing::TempDir(), "varve_log_file_", getpid());
  const std::string moved = path + ".1";
  const auto content = [](const std::string& name) {
    std::ifstream stream(name);
    return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  };
  EXPECT_TRUE(ReopenLogFile().ok()) << "standard error needs no opening";
  EXPECT_EQ(OpenLogFile("/nonexistent/varved.log").code(), absl::StatusCode::kUnavailable);
  Log(LogLevel::kInfo, "zero");
  EXPECT_THAT(Logged(), HasSubstr("info zero")) << "where it went before";
  ASSERT_TRUE(OpenLogFile(path).ok());
  Log(LogLevel::kInfo, "one");
  ASSERT_EQ(std::rename(path.c_str(), moved.c_str()), 0);
  Log(LogLevel::kInfo, "two");
  ASSERT_TRUE(ReopenLogFile().ok());
  Log(LogLevel::kInfo, "three");
  EXPECT_THAT(content(moved), AllOf(HasSubstr("info one"), EndsWith("info two\n")));
  EXPECT_THAT(content(path), EndsWith("info three\n"));
  ASSERT_TRUE(OpenLogFile("").ok());  // for the tests that follow
  ::unlink(path.c_str());
  ::unlink(moved.c_str());
}

TEST_F(LogTest, LevelsBelowAreSilent) {
  ConfigureLog(LogFormat::kText, LogLevel::kWarning);
  Log(LogLevel::kDebug, "one");
  Log(LogLevel::kInfo, "two");
  Log(LogLevel::kWarning, "three");
  Log(LogLevel::kError, "four");
  const std::string logged = Logged();
  EXPECT_EQ(std::count(logged.begin(), logged.end(), '\n'), 2);
  EXPECT_THAT(logged, Not(HasSubstr("two")));
  EXPECT_THAT(logged, EndsWith("error four\n"));
}

TEST_F(LogTest, TextQuotesWhatCouldBeMistaken) { EXPECT_EQ(Shown(LogFormat::kText, ""), "\"\"\n"); }
TEST_F(LogTest, TextQuotesSpaces) { EXPECT_EQ(Shown(LogFormat::kText, "a b=c"), "\"a b=c\"\n"); }
TEST_F(LogTest, TextEscapesWhatWouldForgeALine) {
  EXPECT_EQ(Shown(LogFormat::kText, "x\n2026 info fake k=\"\\\r\t\x1b[2J\x7f"),
            "\"x\\n2026 info fake k=\\\"\\\\\\r\\t\\u001b[2J\\u007f\"\n");
}
TEST_F(LogTest, TextKeepsUtf8AndShowsOtherBytes) {
  // é, then: a lone continuation, an overlong slash, a surrogate, past U+10FFFF, a cut sequence.
  EXPECT_EQ(Shown(LogFormat::kText, "\xc3\xa9\x80\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"),
            "\"\xc3\xa9\\x80\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xe2\\x82\"\n");
}
TEST_F(LogTest, TextEscapesUnicodeThatEndsOrReordersLines) {
  EXPECT_EQ(Shown(LogFormat::kText, "\xc2\x85\xe2\x80\xa8\xe2\x80\xae\xef\xbb\xbf"),
            "\"\\u0085\\u2028\\u202e\\ufeff\"\n");
}
TEST_F(LogTest, TextEscapesZeroBytes) {
  EXPECT_EQ(Shown(LogFormat::kText, std::string("a\0b", 3)), "\"a\\u0000b\"\n");
}
TEST_F(LogTest, TextShowsPlainUnicodeWithoutQuotes) {
  EXPECT_EQ(Shown(LogFormat::kText, "na\xc3\xafve/\xf0\x9f\x90\x8b"),
            "na\xc3\xafve/\xf0\x9f\x90\x8b\n");
}
TEST_F(LogTest, JsonEscapes) {
  EXPECT_EQ(Shown(LogFormat::kJson, std::string("\"\\\n\r\t\b\0\x1f\x7f\xc3\xa9", 11)),
            "\"\\\"\\\\\\n\\r\\t\\u0008\\u0000\\u001f\\u007f\xc3\xa9\"}\n");
}
TEST_F(LogTest, JsonStaysUtf8) {
  EXPECT_EQ(Shown(LogFormat::kJson, "a\x80\xed\xa0\x80z"), "\"a\\ufffd\\ufffd\\ufffd\\ufffdz\"}\n");
}
TEST_F(LogTest, LongValuesAreCutAtACharacter) {
  std::string value = "a";
  for (int i = 0; i < 5000; ++i) value += "\xe2\x82\xac";  // 3 bytes each
  const std::string shown = Shown(LogFormat::kText, value);
  EXPECT_THAT(shown, EndsWith("\xe2\x82\xac\xe2\x80\xa6(15001 bytes)\"\n"));
  EXPECT_LT(shown.size(), 2200u);
}

TEST_F(LogTest, LinesOfThreadsDoNotMix) {
  constexpr int kThreads = 8;
  constexpr int kLines = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      const std::string value(1500, static_cast<char>('a' + t));
      for (int i = 0; i < kLines; ++i) Log(LogLevel::kInfo, "line", {{"k", value}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string logged = Logged();
  size_t lines = 0;
  for (size_t begin = 0; begin < logged.size(); ++lines) {
    const size_t end = logged.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    const size_t value = logged.find(" info line k=", begin) + 13;
    ASSERT_EQ(end - value, 1500u);
    ASSERT_EQ(logged.find_first_not_of(logged[value], value), end);
    begin = end + 1;
  }
  EXPECT_EQ(lines, static_cast<size_t>(kThreads * kLines));
}

}  // namespace
}  // namespace varve
