// Recorded runs of a real Docker engine against this store. docker_scenarios.md lists, by id, those
// that have no counterpart here, those that end otherwise on purpose, and those that say otherwise
// what they did; all the others must end, and tell, as Docker's did, and a difference that is
// listed must be one. Of those where it matters that an id is a digest, Docker's containerd store
// is the measure. What is printed is compared by client/docker_output_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "storage/base/str_cat.h"
#include "tests/storage/reclaim/docker_scenario.h"

namespace varve {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::IsEmpty;

// The kinds of events about each image, in order; Docker goes from image to image in no order.
std::map<std::string, std::vector<std::string>> ByImage(const std::vector<std::string>& events) {
  std::map<std::string, std::vector<std::string>> kinds;
  for (const std::string& event : events) {
    const size_t space = event.find(' ');
    kinds[event.substr(space + 1)].push_back(event.substr(0, space));
  }
  return kinds;
}

std::vector<std::string> RecordedEvents(const json::object& scenario) {
  std::vector<std::string> events;
  for (const json::value& event : scenario.at("events").as_array()) events.push_back(Text(event));
  return events;
}

// Without the part of it that says who answered, its first letter small, and without what a
// conflict is about, which differs: Docker has containers, this store holds and leases.
std::string ErrorText(std::string text) {
  for (const std::string_view who : {"Error response from daemon: ", "Error: "}) {
    if (text.rfind(who, 0) == 0) text.erase(0, who.size());
  }
  if (!text.empty()) text[0] = absl::ascii_tolower(static_cast<unsigned char>(text[0]));
  if (text.rfind("conflict: ", 0) != 0) return text;
  return text.substr(0, text.find(" - "));
}

// The ids listed below a heading, each of which must be asked about, and differ.
class Listed {
 public:
  explicit Listed(const std::string& heading) : ids_(ListedIds(heading)), unseen_(ids_) {}
  ~Listed() { EXPECT_THAT(unseen_, IsEmpty()) << "listed, but not compared"; }
  bool Contains(const std::string& id) {
    unseen_.erase(id);
    return ids_.contains(id);
  }
  size_t size() const { return ids_.size(); }

 private:
  const std::set<std::string> ids_;
  std::set<std::string> unseen_;
};

class DockerScenariosTest : public testing::Test {
 protected:
  // Plays every scenario that has a counterpart here and ends as Docker's did.
  template <typename Compare>
  static void ForEachEqual(const Compare& compare) {
    std::set<std::string> left_out = ListedIds("Scenarios without a counterpart");
    left_out.merge(ListedIds("Scenarios that end otherwise"));
    for (const json::object& scenario : LoadScenarios()) {
      const std::string id = Text(scenario.at("id"));
      if (left_out.contains(id)) continue;
      SCOPED_TRACE(id);
      ScenarioStore store;
      store.SetUp(scenario.at("setup").as_array());
      const Outcome outcome = store.Act(scenario);
      compare(id, scenario, store, outcome);
    }
  }
};

TEST_F(DockerScenariosTest, EndAsDockersDidButForWhatIsListed) {
  Listed without_counterpart("Scenarios without a counterpart");
  Listed different("Scenarios that end otherwise");
  size_t equal = 0;
  for (const json::object& scenario : LoadScenarios()) {
    const std::string id = Text(scenario.at("id"));
    SCOPED_TRACE(id);
    if (without_counterpart.Contains(id)) continue;
    ScenarioStore store;
    store.SetUp(scenario.at("setup").as_array());
    const Outcome expected = RecordedOutcome(store, scenario, MeasureOf(scenario));
    const Outcome outcome = store.Act(scenario);
    if (different.Contains(id)) {
      EXPECT_FALSE(outcome == expected) << "this is no difference any more";
      continue;
    }
    EXPECT_EQ(outcome, expected);
    ++equal;
  }
  ExpectCounts("how it ends", equal + different.size(), equal);
}

TEST_F(DockerScenariosTest, TheContainerdStoreIsTheMeasureWhereTheIdMatters) {
  Listed listed("Scenarios measured by the containerd store");
  for (const json::object& scenario : LoadScenarios()) {
    const std::string id = Text(scenario.at("id"));
    SCOPED_TRACE(id);
    EXPECT_EQ(listed.Contains(id), DependsOnTheId(scenario));
    if (!DependsOnTheId(scenario)) continue;
    ScenarioStore store;
    store.SetUp(scenario.at("setup").as_array());
    const Outcome expected = RecordedOutcome(store, scenario, scenario.at("expected").as_object());
    const Outcome outcome = store.Act(scenario);
    EXPECT_FALSE(outcome == expected) << "the classic store ended so too";
  }
}

TEST_F(DockerScenariosTest, TellTheSameEventsOfEachImage) {
  Listed different("Scenarios with other events");
  size_t equal = 0;
  ForEachEqual([&](const std::string& id, const json::object& scenario, const ScenarioStore& store,
                   const Outcome& /*outcome*/) {
    if (DependsOnTheId(scenario)) return;  // of that store no events are recorded
    const std::vector<std::string> expected = RecordedEvents(scenario);
    const std::vector<std::string>& events = store.told().events;
    if (different.Contains(id)) {
      EXPECT_NE(ByImage(events), ByImage(expected)) << "this is no difference any more";
      return;
    }
    EXPECT_EQ(ByImage(events), ByImage(expected));
    ++equal;
    // The end of a prune is told last.
    for (size_t i = 0; i + 1 < events.size(); ++i) EXPECT_NE(events[i], "prune ");
  });
  ExpectCounts("events of each image", equal + different.size(), equal);
}

TEST_F(DockerScenariosTest, RefuseInTheSameWords) {
  Listed different("Scenarios with other error texts");
  size_t equal = 0;
  ForEachEqual([&](const std::string& id, const json::object& scenario, const ScenarioStore& store,
                   const Outcome& /*outcome*/) {
    const json::object& expected = MeasureOf(scenario);
    const bool listed = different.Contains(id);
    if (!expected.contains("error")) {
      EXPECT_FALSE(listed) << "no error text is recorded";
      return;
    }
    ASSERT_EQ(store.told().errors.size(), 1u);
    const std::string text = ErrorText(store.Recorded(store.told().errors[0]));
    const std::string recorded = ErrorText(Text(expected.at("error")));
    if (listed) {
      EXPECT_NE(text, recorded) << "this is no difference any more";
    } else {
      EXPECT_EQ(text, recorded);
      ++equal;
    }
  });
  ExpectCounts("texts of errors", equal + different.size(), equal);
}

// Docker counts the unpacked files of layers; a prune here counts blobs, config and manifest too.
TEST_F(DockerScenariosTest, CountTheSameBytesOfLayers) {
  Listed different("Scenarios that count other bytes");
  size_t equal = 0;
  ForEachEqual([&](const std::string& id, const json::object& scenario, const ScenarioStore& store,
                   const Outcome& outcome) {
    const json::object& expected = MeasureOf(scenario);
    const bool listed = different.Contains(id);
    if (!expected.contains("reclaimed_bytes") || !store.told().report.has_value()) {
      EXPECT_FALSE(listed) << "no bytes are recorded";
      return;
    }
    uint64_t bytes = store.told().report->content_bytes;
    for (const std::string& image : outcome.deleted_images) bytes -= store.DocumentBytes(image);
    for (const std::string& layer : outcome.deleted_layers) bytes -= store.UncountedBytes(layer);
    const auto recorded = static_cast<uint64_t>(expected.at("reclaimed_bytes").as_int64());
    if (listed) {
      EXPECT_NE(bytes, recorded) << "this is no difference any more";
    } else {
      EXPECT_EQ(bytes, recorded);
      ++equal;
    }
  });
  ExpectCounts("bytes of the layers that go", equal + different.size(), equal);
}

}  // namespace
}  // namespace varve
