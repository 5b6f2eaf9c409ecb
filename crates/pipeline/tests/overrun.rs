//! Ticks left out: the stream's timestamps jump with the time that passed, its numbers do not, and nothing drifts.

mod room;

use antiphon_pipeline::BusRate;
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::MAX_PACKET;
use antiphon_rtp::RtpPacket;
use room::{Room, TICK_NS, config};

/// What a listener's packets say: when they were sent, sequence number, timestamp, marker.
fn sent_to(room: &mut Room, leg: u32) -> Vec<(u64, u16, u32, bool)> {
    let mut buffer = [0; MAX_PACKET];
    let mut packets = Vec::new();
    while let Some((meta, len)) = room.egress.pop(&mut buffer) {
        if meta.leg == leg {
            let packet = RtpPacket::parse(&buffer[..len]).unwrap();
            packets.push((room.now, packet.seq().as_u16(), packet.timestamp().as_u32(), packet.marker()));
        }
    }
    packets
}

#[test]
fn after_a_stall_timestamps_have_gone_on_with_time_and_numbers_have_not() {
    let mut room = Room::new(config(3, BusRate::Hz16000), 3);
    let talker = room.join();
    let listener = room.join();
    room.publish();
    room.people[talker].talking = true;
    let leg = room.people[listener].leg;
    let mut packets = Vec::new();
    for n in 0..500_u64 {
        room.send(); // people go on talking while we stand still
        let stalled = (200..203).contains(&n) || (350..351).contains(&n);
        if !stalled {
            room.conversation.tick(MonoTime::from_nanos(room.now));
            packets.extend(sent_to(&mut room, leg));
            room.reclaim();
        }
    }
    assert!(packets.len() > 450, "{}", packets.len());
    let mut jumps = 0;
    for pair in packets.windows(2) {
        let [(before, seq, timestamp, _), (now, next_seq, next_timestamp, marker)] = pair else { unreachable!() };
        let ticks = (now - before) / TICK_NS;
        assert_eq!(next_seq.wrapping_sub(*seq), 1, "no packet was lost, so none is missed");
        assert_eq!(u64::from(next_timestamp.wrapping_sub(*timestamp)), ticks * 960, "at {now}");
        assert_eq!(*marker, ticks > 1, "a gap begins a talkspurt");
        jumps += u64::from(ticks > 1);
    }
    assert_eq!(jumps, 2);
    let records: Vec<_> = room.records.iter().map(|record| (record.tick, record.at)).collect();
    let (first, at) = records[0];
    assert!(
        records.iter().all(|(tick, now)| now.saturating_since(at).as_nanos() == u128::from((tick - first) * TICK_NS))
    );
}
