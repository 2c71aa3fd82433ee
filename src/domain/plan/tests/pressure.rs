//! Throttle events and stops for the disk.

use super::*;
use crate::domain::throttle::{OpenThrottle, PressureKind};

#[test]
fn a_sample_that_is_due_comes_first_and_alone() {
    let now = at("15 02:00");
    let world = Snapshot { tasks: vec![code(1)], sample_due: now, ..building(now) };
    assert_eq!(actions(&world, now), [Action::TakeSample]);
}

#[test]
fn two_full_disks_are_one_throttle_and_start_nothing() {
    let now = at("15 02:00");
    let mut world = Snapshot { tasks: vec![code(1)], samples: vec![sample(now, 85)], ..building(now) };
    let planned = actions(&world, now);
    assert!(matches!(planned[..], [Action::OpenThrottle { kind: PressureKind::Disk, .. }]), "{planned:?}");
    world.throttles = vec![OpenThrottle { kind: PressureKind::Disk, since: now }];
    assert!(actions(&world, now).is_empty());
    world.samples = vec![sample(now, 79)];
    assert!(actions(&world, now).is_empty(), "not below the value to resume at");
    world.samples = vec![sample(now, 78)];
    assert_eq!(actions(&world, now)[0], Action::CloseThrottle { kind: PressureKind::Disk });
}

#[test]
fn throttles_are_told_while_somebody_builds_only() {
    let now = at("15 15:00");
    let mut world = Snapshot { samples: vec![sample(now, 85)], ..quiet(now) };
    assert!(actions(&world, now).is_empty());
    world.throttles = vec![OpenThrottle { kind: PressureKind::Disk, since: now }];
    assert_eq!(actions(&world, now), [Action::CloseThrottle { kind: PressureKind::Disk }]);
}
