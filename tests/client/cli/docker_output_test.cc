// What `varve image prune` and `varve rmi` print against what a real Docker client printed in the
// same scenario (tests/storage/reclaim/docker_scenarios.jsonl). docker_scenarios.md beside them
// lists, by id, those that print something else; a difference that is listed must be one.
//
// Left out of Docker's side: its lines about single layers, and about names with a digest, which
// are its own record of a pull. Of the space the line is compared, not the figure: that is counted
// by docker_scenarios_test.cc. What is printed about errors is not compared here, nor are scenarios
// of the raw HTTP API, which has no such text.
#include <algorithm>

#include "client/cli/removal_text.h"
#include "gmock/gmock.h"
#include "storage/base/str_cat.h"
#include "tests/storage/reclaim/docker_scenario.h"

namespace varve {
namespace {

using testing::IsEmpty;

constexpr std::string_view kSpace = "Total reclaimed space: ";

bool StartsWith(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// Docker goes from image to image in no order: of a prune, the lines between the first and the
// empty one are put in byte order.
std::vector<std::string> InOrder(std::vector<std::string> lines) {
  if (lines.empty() || lines[0] != "Deleted Images:") return lines;
  const auto end = std::find(lines.begin(), lines.end(), "");
  std::sort(lines.begin() + 1, end);
  return lines;
}

std::vector<std::string> DockersLines(const ScenarioStore& store, const std::string& output) {
  std::vector<std::string> lines;
  for (std::string line : Lines(output)) {
    if (StartsWith(line, "[stderr]")) {
      if (!lines.empty() && lines.back().empty()) lines.pop_back();
      break;
    }
    const size_t colon = line.find("eleted: ");
    if (colon == 1 && !StartsWith(line.substr(9), "<image:")) continue;
    if (colon != 1 && line.find('@') != std::string::npos) continue;
    if (StartsWith(line, kSpace)) line = kSpace;
    lines.push_back(store.Filled(line));
  }
  return InOrder(std::move(lines));
}

std::vector<std::string> OurLines(const ScenarioStore& store) {
  std::string output;
  PruneText prune(/*dry_run=*/false);
  for (const PruneStep& step : store.told().steps) output += prune.Step(step);
  if (store.told().report.has_value()) output += prune.Report(*store.told().report);
  for (const RemovedImage& removed : store.told().removed)
    output += RemovedText(removed, SystemClock().WallNanos());
  std::vector<std::string> lines;
  for (std::string line : Lines(output)) {
    if (line.find("eleted: ") == 1) line = line.substr(0, 9) + store.ImageNamed(line.substr(9));
    if (StartsWith(line, kSpace)) line = kSpace;
    lines.push_back(store.Recorded(line));
  }
  return InOrder(std::move(lines));
}

TEST(DockerOutputTest, PrintsTheSameLines) {
  std::set<std::string> left_out = ListedIds("Scenarios without a counterpart");
  left_out.merge(ListedIds("Scenarios that end otherwise"));
  const std::set<std::string> different = ListedIds("Scenarios with other output");
  std::set<std::string> unseen = different;
  size_t equal = 0;
  for (const boost::json::object& scenario : LoadScenarios()) {
    const std::string id = Text(scenario.at("id"));
    const std::string command = Text(scenario.at("action").as_object().at("cmd"));
    if (left_out.contains(id) || (command != "prune" && command != "rmi")) continue;
    SCOPED_TRACE(id);
    unseen.erase(id);
    ScenarioStore store;
    store.SetUp(scenario.at("setup").as_array());
    store.Act(scenario);
    const std::vector<std::string> expected = DockersLines(store, RecordedOutput(scenario));
    const std::vector<std::string> lines = OurLines(store);
    if (different.contains(id)) {
      EXPECT_NE(lines, expected) << "this is no difference any more";
      continue;
    }
    EXPECT_EQ(lines, expected);
    ++equal;
  }
  EXPECT_THAT(unseen, IsEmpty()) << "listed, but not compared";
  ExpectCounts("lines of `image prune` and `rmi`", equal + different.size(), equal);
}

}  // namespace
}  // namespace varve
