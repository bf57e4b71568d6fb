// A graph of tasks and their dependencies: from left to right, on a phone from top to bottom.

import "../styles/graph.css";
import dagre from "@dagrejs/dagre";
import { useMemo } from "react";
import { Link } from "wouter";
import { shortTask } from "../lib/format";
import { places } from "../lib/places";
import { useWide } from "../lib/wide";
import { StateIcon } from "../parts/Icon";
import { strings } from "../strings";
import type { GraphEdge, GraphNode } from "../task/graph";

const WIDTH = 190;
const HEIGHT = 38;

interface Props {
  nodes: GraphNode[];
  edges: GraphEdge[];
  current: string;
}

export default function Graph({ nodes, edges, current }: Props) {
  const wide = useWide();
  const layout = useMemo(() => {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({
      rankdir: wide ? "LR" : "TB",
      nodesep: 14,
      ranksep: wide ? 44 : 28,
      marginx: 4,
      marginy: 4,
    });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const node of nodes) graph.setNode(node.key, { width: WIDTH, height: HEIGHT });
    for (const edge of edges) graph.setEdge(edge.from, edge.to);
    dagre.layout(graph);
    const size = graph.graph();
    return {
      width: size.width ?? 0,
      height: size.height ?? 0,
      nodes: nodes.map((node) => ({ node, ...graph.node(node.key) })),
      edges: edges.map((edge) => ({
        ...edge,
        points: (graph.edge(edge.from, edge.to) as { points?: { x: number; y: number }[] }).points ?? [],
      })),
    };
  }, [nodes, edges, wide]);
  return (
    <div className="graph" tabIndex={0} role="group" aria-label={strings.graph.label}>
      <div className="graph-space" style={{ width: layout.width, height: layout.height }}>
        <svg width={layout.width} height={layout.height} aria-hidden>
          <defs>
            <marker
              id="arrow"
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              orient="auto"
            >
              <path d="M0 0 8 4 0 8z" className="graph-tip" />
            </marker>
          </defs>
          {layout.edges.map((edge) => (
            <path
              key={`${edge.from} ${edge.to}`}
              className="graph-edge"
              markerEnd="url(#arrow)"
              d={edge.points.map((p, n) => `${n === 0 ? "M" : "L"}${p.x} ${p.y}`).join("")}
            />
          ))}
        </svg>
        {layout.nodes.map(({ node, x, y }) => (
          <Link
            key={node.key}
            to={places.task(node.project, node.id)}
            className={`graph-node${node.key === current ? " graph-current" : ""}`}
            aria-current={node.key === current ? "true" : undefined}
            title={node.id}
            style={{ left: x - WIDTH / 2, top: y - HEIGHT / 2, width: WIDTH, height: HEIGHT }}
          >
            <StateIcon status={node.task?.status ?? "unknown"} />
            <span className="list-name">{shortTask(node.id)}</span>
          </Link>
        ))}
      </div>
    </div>
  );
}
