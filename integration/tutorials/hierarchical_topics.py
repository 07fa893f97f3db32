"""The hierarchy of topics: by default, by a linkage of one's own, as a tree and in figures."""

from scipy.cluster import hierarchy


def run(make, news, folder):
    topic_model = make().fit(news.documents, news.embeddings)
    n_topics = len(topic_model.get_topic_info())
    tree = topic_model.hierarchical_topics(news.documents)
    assert len(tree) == n_topics - 1
    assert sorted(tree.Topics.iloc[0]) == list(range(n_topics))
    assert (tree.Distance.diff().dropna() <= 1e-9).all()
    members = dict(zip(tree.Parent_ID, tree.Topics, strict=True))
    members |= {str(topic): [topic] for topic in range(n_topics)}
    for row in tree.itertuples():
        children = [*members[row.Child_Left_ID], *members[row.Child_Right_ID]]
        assert sorted(children) == sorted(row.Topics)
    single = topic_model.hierarchical_topics(
        news.documents,
        linkage_function=lambda x: hierarchy.linkage(x, "single", optimal_ordering=True),
    )
    assert len(single) == n_topics - 1
    assert topic_model.get_topic_tree(tree).count("Topic:") == n_topics
    assert topic_model.visualize_hierarchy(hierarchical_topics=tree).data
    flat = news.embeddings[:, :2]
    figure = topic_model.visualize_hierarchical_documents(
        news.documents, tree, reduced_embeddings=flat, nr_levels=4
    )
    assert figure.data
