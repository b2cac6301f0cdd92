// Progress as it looks on a terminal, which a few lines here stand in for, and elsewhere.
#include <thread>
#include <vector>

#include "client/cli/progress.h"
#include "client/cli/terminal.h"
#include "gmock/gmock.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr int64_t kMillisecond = kNanosPerSecond / 1000;

// The screen after what was written: lines, the cursor's line, and the few commands that are used.
class Screen {
 public:
  void Write(std::string_view text) {
    ++writes_;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') {
        ++line_;
        column_ = 0;
      } else if (text[i] == '\x1b') {
        const size_t end = text.find_first_of("AKJ", i);
        ASSERT_NE(end, std::string_view::npos);
        Obey(std::string(text.substr(i + 1, end - i)));
        i = end;
      } else {
        std::string& line = Line();
        line.resize(std::max(line.size(), column_ + 1), ' ');
        line[column_++] = text[i];
      }
    }
    EXPECT_EQ(column_, 0u) << "the cursor is left inside a line";
  }

  const std::vector<std::string>& lines() const { return lines_; }
  size_t writes() const { return writes_; }

 private:
  std::string& Line() {
    if (lines_.size() <= line_) lines_.resize(line_ + 1);
    return lines_[line_];
  }

  void Obey(const std::string& command) {
    if (command == "[K") {
      Line().resize(std::min(Line().size(), column_));
    } else if (command == "[J") {
      lines_.resize(std::min(lines_.size(), line_));
    } else {
      const size_t up = std::stoul(command.substr(1));
      ASSERT_LE(up, line_);
      line_ -= up;
    }
  }

  std::vector<std::string> lines_;
  size_t line_ = 0;
  size_t column_ = 0;
  size_t writes_ = 0;
};

class ProgressTest : public testing::Test {
 protected:
  ProgressOptions Options(ProgressOptions::Form form) {
    ProgressOptions options;
    options.form = form;
    options.write = [this](std::string_view text) { screen_.Write(text); };
    options.size = [this] { return size_; };
    return options;
  }
  ProgressOptions OnTerminal() { return Options(ProgressOptions::Form::kTerminal); }

  void Pass(int64_t milliseconds) { clock_.Advance(milliseconds * kMillisecond); }

  FakeClock clock_;
  Screen screen_;
  TerminalSize size_{.columns = 90, .lines = 24};
};

TEST_F(ProgressTest, ARowShowsBarBytesRateAndTimeLeft) {
  Progress progress(OnTerminal(), clock_);
  const Progress::Row layer = progress.Add("layer 8a3f", 40'000'000, "uploading");
  EXPECT_THAT(screen_.lines(), ElementsAre("layer 8a3f  uploading"));
  progress.SetBytes(layer, 0);
  Pass(2000);
  progress.SetBytes(layer, 10'000'000);
  EXPECT_THAT(screen_.lines(),
              ElementsAre("layer 8a3f  uploading  [======>                   ]        10MB/40MB"
                          "      5MB/s  ETA 0:06"));
}

TEST_F(ProgressTest, AnEndedRowShowsWhatItTook) {
  Progress progress(OnTerminal(), clock_);
  const Progress::Row layer = progress.Add("layer 8a3f", 12'300'000, "uploading");
  progress.Add("layer 9b4c", std::nullopt, "waiting");
  progress.SetBytes(layer, 12'300'000);
  Pass(400);
  progress.Complete(layer);
  progress.SetBytes(layer, 5);
  progress.SetState(layer, "again");
  EXPECT_THAT(screen_.lines(),
              ElementsAre("layer 8a3f  done       12.3MB in 0.4 s", "layer 9b4c  waiting  "));
}

TEST_F(ProgressTest, WhatMovedNothingShowsNoFigures) {
  Progress progress(OnTerminal(), clock_);
  progress.Complete(progress.Add("layer 8a3f", 1000, "waiting"), "already there");
  progress.Finish();
  EXPECT_THAT(screen_.lines(), ElementsAre("layer 8a3f  already there"));
}

TEST_F(ProgressTest, AnUnknownTotalHasNeitherBarNorTimeLeft) {
  Progress progress(OnTerminal(), clock_);
  const Progress::Row row = progress.Add("stdin", std::nullopt, "uploading");
  progress.SetBytes(row, 0);
  Pass(1000);
  progress.SetBytes(row, 3'000'000);
  EXPECT_THAT(screen_.lines(), ElementsAre("stdin  uploading      3MB      3MB/s"));
}

TEST_F(ProgressTest, AResumedTransferIsNotFasterForWhatWasThereBefore) {
  Progress progress(OnTerminal(), clock_);
  const Progress::Row row = progress.Add("big", 10'000'000'000, "uploading");
  progress.SetBytes(row, 9'000'000'000);
  Pass(1000);
  progress.SetBytes(row, 9'001'000'000);
  EXPECT_THAT(screen_.lines(), ElementsAre(HasSubstr("1MB/s")));
}

TEST_F(ProgressTest, AStalledTransferSlowsDownWithoutNews) {
  Progress progress(OnTerminal(), clock_);
  const Progress::Row row = progress.Add("slow", 40'000'000, "uploading");
  progress.SetBytes(row, 0);
  Pass(1000);
  progress.SetBytes(row, 8'000'000);
  Pass(3000);
  progress.Refresh();
  EXPECT_THAT(screen_.lines(), ElementsAre(HasSubstr("  2MB/s  ETA 0:16")));
  Pass(60'000);
  progress.Refresh();
  EXPECT_THAT(screen_.lines(), ElementsAre(AllOf(HasSubstr(" 0B/s"), Not(HasSubstr("ETA")))));
}

TEST_F(ProgressTest, AtMostTenFramesASecond) {
  Progress progress(OnTerminal(), clock_);
  const Progress::Row row = progress.Add("layer", 1000, "uploading");
  for (uint64_t i = 0; i < 1000; ++i) {
    Pass(1);
    progress.SetBytes(row, i);
  }
  EXPECT_LE(screen_.writes(), 11u);
  EXPECT_GE(screen_.writes(), 10u);
}

TEST_F(ProgressTest, MoreRowsThanTheTerminalHasLines) {
  size_.lines = 5;
  Progress progress(OnTerminal(), clock_);
  std::vector<Progress::Row> rows;
  for (int i = 0; i < 7; ++i) {
    rows.push_back(progress.Add("layer " + std::to_string(i), std::nullopt, "waiting"));
  }
  Pass(100);
  progress.Refresh();
  EXPECT_THAT(screen_.lines(), ElementsAre("layer 0  waiting", "layer 1  waiting",
                                           "layer 2  waiting", "and 4 more"));
  Pass(100);
  progress.Complete(rows[2]);  // makes room, though not the first
  EXPECT_THAT(screen_.lines(), ElementsAre("layer 2  done", "layer 0  waiting", "layer 1  waiting",
                                           "layer 3  waiting", "and 3 more"));
  for (const Progress::Row row : rows) progress.Complete(row);
  progress.Finish();
  EXPECT_THAT(screen_.lines(),
              ElementsAre("layer 2  done", "layer 0  done", "layer 1  done", "layer 3  done",
                          "layer 4  done", "layer 5  done", "layer 6  done"));
}

TEST_F(ProgressTest, LinesAppearAboveTheRows) {
  Progress progress(OnTerminal(), clock_);
  progress.Add("layer", std::nullopt, "waiting");
  progress.Say("Loading app:v1");
  progress.Finish();
  progress.Say("later");
  progress.Finish();
  EXPECT_THAT(screen_.lines(), ElementsAre("Loading app:v1", "layer  waiting", "later"));
}

TEST_F(ProgressTest, NothingIsWiderThanTheTerminal) {
  Progress progress(OnTerminal(), clock_);
  const Progress::Row row =
      progress.Add(std::string(200, 'n'), 123'400'000'000, std::string(50, 's'));
  progress.Add(
      "gr\xc3\xb6\xc3\x9f"
      "e.tar",
      5, "waiting");
  progress.SetBytes(row, 0);
  for (size_t columns = 1; columns < 120; ++columns) {
    size_.columns = columns;
    Pass(600);
    progress.SetBytes(row, columns * 100'000'000);
    for (const std::string& line : screen_.lines()) {
      EXPECT_LE(ColumnsOf(line), std::max<size_t>(columns, 2) - 1) << line;
    }
  }
}

TEST_F(ProgressTest, NamesCannotCommandTheTerminal) {
  Progress progress(OnTerminal(), clock_);
  progress.Add("a\x1b[2Jb\r\n\x9b", std::nullopt, "\x1b]0;x\x07");
  progress.Say("c\x1b[Ad");
  progress.Finish();
  EXPECT_THAT(screen_.lines(), ElementsAre("c?[Ad", "a?[2Jb???  ?]0;x?"));
}

TEST_F(ProgressTest, ElsewhereALineForEachThatEnded) {
  Progress progress(Options(ProgressOptions::Form::kLines), clock_);
  const Progress::Row first = progress.Add("layer sha256:1234", 12'300'000, "uploading");
  const Progress::Row second = progress.Add("layer sha256:5678", 5, "waiting");
  progress.SetBytes(first, 12'300'000);
  Pass(400);
  progress.Complete(first);
  progress.Complete(first);
  progress.Complete(second, "already there");
  progress.Add("never ends", 5, "waiting");
  progress.Say("x\ry");
  progress.Finish();
  EXPECT_THAT(screen_.lines(), ElementsAre("layer sha256:1234: done, 12.3MB in 0.4 s",
                                           "layer sha256:5678: already there", "x?y"));
}

TEST_F(ProgressTest, QuietSaysNothing) {
  Progress progress(Options(ProgressOptions::Form::kQuiet), clock_);
  const Progress::Row row = progress.Add("layer", 5, "uploading");
  progress.SetBytes(row, 5);
  progress.Complete(row);
  progress.Say("x");
  progress.Finish();
  EXPECT_EQ(screen_.writes(), 0u);
}

TEST_F(ProgressTest, ThreadsMayReportAtOnce) {
  ProgressOptions options = OnTerminal();
  options.ticks = true;
  {
    Progress progress(options);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&progress, i] {
        const Progress::Row row = progress.Add("layer " + std::to_string(i), 2000, "uploading");
        for (uint64_t bytes = 0; bytes <= 2000; ++bytes) progress.SetBytes(row, bytes);
        progress.Complete(row);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_THAT(screen_.lines(), SizeIs(4));
  EXPECT_THAT(screen_.lines(), testing::Each(HasSubstr("done       2kB in ")));
}

TEST(TerminalTest, PrintableTextKeepsWhatCanBeReadOnly) {
  EXPECT_EQ(Printable("plain text ~"), "plain text ~");
  EXPECT_EQ(Printable("gr\xc3\xb6\xc3\x9f"
                      "e"),
            "gr\xc3\xb6\xc3\x9f"
            "e");
  EXPECT_EQ(Printable("\xe2\x80\xae"
                      "gpj.exe"),
            "?gpj.exe");  // right-to-left override
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2J"),
            "?2J");                                       // C1 control
  EXPECT_EQ(Printable("\xff\xc3"), "??");                 // not UTF-8
  EXPECT_EQ(Printable("\xc0\xaf\xe0\x80\xaf"), "?????");  // overlong
  EXPECT_EQ(Printable("\xed\xa0\x80"), "???");            // a surrogate
  EXPECT_EQ(Printable(std::string_view("\0\x7f", 2)), "??");
}

TEST(TerminalTest, TextIsCutBetweenCharacters) {
  EXPECT_EQ(FitColumns("abcdef", 4, true), "abcd");
  EXPECT_EQ(FitColumns("ab", 4, true), "ab  ");
  EXPECT_EQ(FitColumns("ab", 4, false), "ab");
  EXPECT_EQ(FitColumns("a\xc3\xb6"
                       "b",
                       2, true),
            "a ");
  EXPECT_EQ(FitColumns("", 0, true), "");
}

}  // namespace
}  // namespace varve
