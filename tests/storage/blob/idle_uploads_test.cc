#include "storage/blob/idle_uploads.h"

#include <gtest/gtest.h>

#include <list>

namespace varve {
namespace {

class IdleUploadsTest : public testing::Test {
 protected:
  IdleUpload& Add(const std::string& client, uint64_t bytes, int64_t since) {
    IdleUpload& upload = uploads_.emplace_back();
    upload.client = client;
    upload.idle_bytes = bytes;
    upload.idle_since_nanos = since;
    idle_.Add(upload);
    return upload;
  }

  IdleUploads idle_;
  std::list<IdleUpload> uploads_;
};

TEST_F(IdleUploadsTest, TheClientWithMostLosesItsIdlestEmptyOne) {
  EXPECT_EQ(idle_.ForSlot("new"), nullptr);
  Add("few", 0, 1);
  Add("most", 100, 2);
  Add("most", 0, 30);
  IdleUpload& idlest = Add("most", 0, 20);
  EXPECT_EQ(idle_.ForSlot("new"), &idlest);
  EXPECT_EQ(idle_.ForSlot("most"), &idlest);
  idle_.Remove(idlest);
  idle_.Remove(idlest);
  // Two each now: the one with the idlest of all.
  IdleUpload& other = Add("few", 0, 40);
  EXPECT_EQ(idle_.ForSlot("new")->client, "few");
  idle_.Remove(other);
  EXPECT_EQ(idle_.ForSlot("new")->client, "most");
}

TEST_F(IdleUploadsTest, UploadsWithBytesGiveWayOnlyToThoseWhoHaveFewer) {
  IdleUpload& idlest = Add("most", 1, 1);
  Add("most", 1, 2);
  Add("most", 1, 3);
  Add("some", 1, 0);
  EXPECT_EQ(idle_.ForSlot("new"), &idlest);
  EXPECT_EQ(idle_.ForSlot("some"), &idlest);
  EXPECT_EQ(idle_.ForSlot("most"), nullptr);
  Add("some", 1, 0);
  EXPECT_EQ(idle_.ForSlot("some"), nullptr) << "it would have as many";
}

TEST_F(IdleUploadsTest, TheIdlestGivesWayWhenThereIsNoRoom) {
  Add("a", 0, 1);
  EXPECT_EQ(idle_.IdleSince(100), nullptr) << "an empty one gives nothing";
  IdleUpload& late = Add("a", 5, 60);
  IdleUpload& early = Add("b", 5, 50);
  EXPECT_EQ(idle_.IdleSince(49), nullptr);
  EXPECT_EQ(idle_.IdleSince(50), &early);
  idle_.Remove(early);
  EXPECT_EQ(idle_.IdleSince(50), nullptr);
  EXPECT_EQ(idle_.IdleSince(100), &late);
}

TEST_F(IdleUploadsTest, WhoHasMoreThanItsShareOfTheRoomGivesWay) {
  Add("small", 10, 0);
  IdleUpload& idlest = Add("large", 100, 50);
  Add("large", 100, 70);
  EXPECT_EQ(idle_.OverFairShare("new", 150, 60), &idlest);
  EXPECT_EQ(idle_.OverFairShare("new", 150, 40), nullptr) << "not idle for long enough";
  EXPECT_EQ(idle_.OverFairShare("new", 200, 60), nullptr) << "it would have as much";
  EXPECT_EQ(idle_.OverFairShare("small", 190, 60), nullptr);
  EXPECT_EQ(idle_.OverFairShare("small", 180, 60), &idlest);
  EXPECT_EQ(idle_.OverFairShare("large", 1, 60), nullptr) << "from itself";
}

// Whatever comes and goes, the parts agree.
TEST_F(IdleUploadsTest, NothingIsLeftOfWhatWent) {
  std::list<IdleUpload*> here;
  for (int i = 0; i < 1000; ++i) {
    here.push_back(&Add(std::to_string(i % 7), i % 3 == 0 ? 0 : 10, i * 7919 % 101));
    if (i % 4 == 3) {
      IdleUpload* const victim = idle_.ForSlot("new");
      if (victim == nullptr) continue;  // each has one, with bytes
      idle_.Remove(*victim);
      here.remove(victim);
    }
  }
  EXPECT_LT(here.size(), 800u);
  for (IdleUpload* upload : here) idle_.Remove(*upload);
  EXPECT_EQ(idle_.ForSlot("new"), nullptr);
  EXPECT_EQ(idle_.IdleSince(1'000'000), nullptr);
  EXPECT_EQ(idle_.OverFairShare("new", 0, 1'000'000), nullptr);
}

TEST_F(IdleUploadsTest, DeathOfOneThatIsAddedTwice) {
  IdleUpload& upload = Add("client", 10, 1);
  EXPECT_DEATH(idle_.Add(upload), "an upload is idle once");
}

TEST_F(IdleUploadsTest, DeathOfOneWhoseBytesChangedMeanwhile) {
  IdleUpload& upload = Add("client", 10, 1);
  upload.idle_bytes = 11;
  EXPECT_DEATH(idle_.Remove(upload), "a client's idle bytes are those of its uploads");
}

}  // namespace
}  // namespace varve
